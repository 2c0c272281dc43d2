// PromQL: range and instant queries.
import { type UseQueryResult, useQueries, useQuery } from '@tanstack/react-query';
import { createContext, use } from 'react';
import type { Labels } from '../lib/labels';
import { type Matrix, parseNumber, RangeCache, type RawSeries, toMatrix } from '../lib/matrix';
import { stepFor } from '../lib/range';
import { useTime } from '../lib/time';
import { askProm } from './client';
import { useKept, useKeptOne } from './kept';

export const RangeCacheContext = createContext(new RangeCache());

async function fetchRange(query: string, start: number, end: number, step: number): Promise<Matrix> {
  const { data, warnings } = await askProm<{ resultType: string; result: RawSeries[] }>('api/v1/query_range', {
    form: { query, start, end, step },
  });
  return toMatrix(data.result, start, step, Math.round((end - start) / step) + 1, warnings);
}

/** How a range is drawn: seconds between points. By default so that about 240 fit. */
export interface RangeOptions {
  step?: number;
  enabled?: boolean;
  /** Another window than the page's, in ms before now. */
  last?: number;
}

function useRangeQuery() {
  const cache = use(RangeCacheContext);
  const time = useTime();
  return (query: string, options: RangeOptions) => {
    const to = options.last ? time.now : time.to;
    const from = options.last ? time.now - options.last : time.from;
    const step = options.step ?? stepFor(from, to);
    // The grid moves only by whole steps: a refresh within a step asks for nothing.
    const last = Math.floor(to / 1000 / step) * step;
    const first = Math.floor(from / 1000 / step) * step;
    return {
      queryKey: ['range', query, step, first, last],
      queryFn: () => cache.get(query, first, last, step, fetchRange),
      // The last answer stays shown while the clock moves on, but never the answer to another question.
      placeholderData: (old: Matrix | undefined, from: { queryKey: readonly unknown[] } | undefined) =>
        from?.queryKey[1] === query ? old : undefined,
      enabled: options.enabled !== false && query !== '',
      staleTime: Number.POSITIVE_INFINITY,
      // What failed is asked again before the next step, which may be hours away.
      refetchInterval: (q: { state: { status: string } }) =>
        q.state.status === 'error' && time.refresh > 0 && time.refresh,
      gcTime: 10_000,
    };
  };
}

/** useRange runs a range query over the page's time range; a refresh asks only for the new end. */
export function useRange(query: string, options: RangeOptions = {}): UseQueryResult<Matrix> {
  return useKeptOne(useQuestion([query], options), useQuery(useRangeQuery()(query, options)));
}

/** useRanges runs several range queries. */
export function useRanges(queries: string[], options: RangeOptions = {}): UseQueryResult<Matrix>[] {
  const of = useRangeQuery();
  return useKept(useQuestion(queries, options), useQueries({ queries: queries.map((q) => of(q, options)) }));
}

/** useQuestion is what is asked, without the moment. */
function useQuestion(queries: string[], options: RangeOptions): string {
  const { range } = useTime();
  return JSON.stringify([queries, options, range]);
}

export interface Sample {
  labels: Labels;
  value: number;
}

async function fetchInstant(query: string, time: number, signal?: AbortSignal): Promise<Sample[]> {
  const { data } = await askProm<{ resultType: string; result: unknown }>('api/v1/query', {
    form: { query, time: time / 1000 },
    signal,
  });
  if (data.resultType === 'scalar') {
    return [{ labels: {}, value: parseNumber((data.result as [number, string])[1]) }];
  }
  return (data.result as { metric: Labels; value?: [number, string] }[])
    .filter((s) => s.value)
    .map((s) => ({ labels: s.metric, value: parseNumber((s.value as [number, string])[1]) }));
}

/** useInstant evaluates a query at the end of the page's time range. */
export function useInstant(query: string, options: { enabled?: boolean } = {}): UseQueryResult<Sample[]> {
  const { to, range } = useTime();
  const answer = useQuery({
    queryKey: ['instant', query, to],
    queryFn: ({ signal }) => fetchInstant(query, to, signal),
    placeholderData: (old, from) => (from?.queryKey[1] === query ? old : undefined),
    enabled: options.enabled !== false && query !== '',
    gcTime: 10_000,
  });
  return useKeptOne(JSON.stringify([query, range]), answer);
}
