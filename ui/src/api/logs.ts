// Log streams and lines.
import { useQuery } from '@tanstack/react-query';
import { type Labels, selector } from '../lib/labels';
import { useTime } from '../lib/time';
import { askProm } from './client';
import { useKeptOne } from './kept';
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
  const { from, to, range } = useTime();
  const answer = useQuery({
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
  return useKeptOne(JSON.stringify([query, limit, range]), answer);
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

/** Labels that may carry a service's name, the most telling first. */
const nameLabels = ['service', 'service_name', 'app', 'job'];

/** What an error line looks like, where levels are not known. */
const errorPattern = '(?i)\\b(error|critical|fatal|panic|exception|traceback|oom|out of memory)\\b';

/** useErrorLines finds the error lines of a service's log. expr is empty where no stream carries its name. */
export function useErrorLines(service: string, limit: number) {
  const names = useQuery({
    queryKey: ['log selector', service],
    queryFn: async ({ signal }) => {
      const found = await Promise.all(
        nameLabels.map((label) =>
          askProm<string[] | null>(`loki/api/v1/label/${label}/values`, { signal }).then(
            ({ data }) => (data ?? []).includes(service),
            () => false,
          ),
        ),
      );
      return nameLabels[found.indexOf(true)] ?? '';
    },
    staleTime: 60_000,
    enabled: service !== '',
  });
  const label = names.data;
  const expr = label ? `${selector({ [label]: service })} |~ \`${errorPattern}\`` : label;
  const query = useLogLines(expr ?? '', limit, { enabled: Boolean(expr) });
  return { query, expr: service === '' ? '' : expr };
}
