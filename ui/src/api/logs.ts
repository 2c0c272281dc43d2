// Log streams and lines.
import { useQuery } from '@tanstack/react-query';
import type { Labels } from '../lib/labels';
import { useTime } from '../lib/time';
import { askProm } from './client';
import { usePoll } from './poll';

export interface Stream {
  stream: Labels;
  values: [string, string, ...unknown[]][];
}

export interface LogLine {
  /** Milliseconds since 1970, for showing. */
  time: number;
  /** Nanoseconds since 1970, exact. */
  ns: string;
  text: string;
  labels: Labels;
}

/** useLogLines reads the newest lines that a selector finds in the page's range. */
export function useLogLines(query: string, limit: number, options: { enabled?: boolean } = {}) {
  const { from, to } = useTime();
  return useQuery({
    queryKey: ['log lines', query, limit, from, to],
    queryFn: async ({ signal }): Promise<LogLine[]> => {
      const { data } = await askProm<{ result: Stream[] }>('loki/api/v1/query_range', {
        params: { query, limit, start: `${from}000000`, end: `${to}000000`, direction: 'backward' },
        signal,
      });
      return data.result
        .flatMap(({ stream, values }) =>
          values.map(([ns, text]) => ({ ns, text, labels: stream, time: Number(ns.slice(0, -6)) })),
        )
        .sort((a, b) => (a.ns.length - b.ns.length || (a.ns < b.ns ? -1 : 1)) * -1)
        .slice(0, limit);
    },
    placeholderData: (old, before) => (before?.queryKey[1] === query ? old : undefined),
    enabled: options.enabled,
    gcTime: 10_000,
  });
}

/** useStreams lists the label sets of the streams that had lines in the last six hours. */
export function useStreams() {
  return usePoll(
    ['log streams'],
    async (signal) => {
      const end = Date.now();
      const { data } = await askProm<Labels[] | null>('loki/api/v1/series', {
        params: { start: `${end - 6 * 36e5}000000`, end: `${end}000000` },
        signal,
      });
      return data ?? [];
    },
    { atMost: 30_000 },
  );
}
