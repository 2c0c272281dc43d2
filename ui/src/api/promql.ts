// PromQL as Explore asks it: several result types, exemplars, names and their meaning.
import { useQuery } from '@tanstack/react-query';
import { createContext, use } from 'react';
import { type Labels, selector } from '../lib/labels';
import { type Matrix, parseNumber, RangeCache, type RawSeries, toMatrix } from '../lib/matrix';
import { askProm } from './client';
import { type Span, useLive } from './live';

/** ExploreCache holds what Explore's graphs have read, so that a refresh asks only for the new end. */
export const ExploreCache = createContext(new RangeCache());

/** useGraph runs a range query that ends with the page. Step is in seconds. */
export function useGraph(query: string, step: number, options: { enabled?: boolean; span?: Span } = {}) {
  const cache = use(ExploreCache);
  return useLive<Matrix>(
    ['graph', query, step],
    (span, signal) =>
      cache.get(
        query,
        Math.floor(span.from / 1000 / step) * step,
        Math.floor(span.to / 1000 / step) * step,
        step,
        async (q, start, end) => {
          const { data, warnings } = await askProm<{ resultType: string; result: RawSeries[] }>('api/v1/query_range', {
            form: { query: q, start, end, step },
            signal,
          });
          return toMatrix(data.result, start, step, Math.round((end - start) / step) + 1, warnings);
        },
      ),
    { ...options, enabled: options.enabled !== false && query.trim() !== '' },
  );
}

/** Native histogram as the API writes it. */
export interface RawHistogram {
  count: string;
  sum: string;
  buckets?: [number, string, string, string][];
}

interface RawResult {
  metric: Labels;
  value?: [number, string];
  values?: [number, string][];
  histogram?: [number, RawHistogram];
}

/** One row of a table: a series and its value in words of the API. */
export interface Row {
  labels: Labels;
  /** NaN where the value is no single number. */
  value: number;
  text: string;
  /** Seconds since 1970. */
  time: number;
}

export interface Table {
  type: string;
  rows: Row[];
  warnings: string[];
}

/** toTable makes rows of whichever type an instant query answers. */
export function toTable(type: string, result: unknown, warnings: string[] = []): Table {
  if (type === 'scalar' || type === 'string') {
    const [time, text] = result as [number, string];
    return {
      type,
      warnings,
      rows: [{ labels: {}, time, text, value: type === 'scalar' ? parseNumber(text) : Number.NaN }],
    };
  }
  const rows = (result as RawResult[]).flatMap(({ metric, value, values, histogram }): Row[] => {
    if (value) return [{ labels: metric, time: value[0], text: value[1], value: parseNumber(value[1]) }];
    if (histogram) {
      const [time, h] = histogram;
      return [{ labels: metric, time, value: Number.NaN, text: `count ${h.count}, sum ${h.sum}` }];
    }
    return (values ?? []).map(([time, text]) => ({ labels: metric, time, text, value: parseNumber(text) }));
  });
  return { type, rows, warnings };
}

/** useTable evaluates a query at the end of the range. */
export function useTable(query: string, options: { enabled?: boolean } = {}) {
  return useLive<Table>(
    ['table', query],
    async (span, signal) => {
      const { data, warnings } = await askProm<{ resultType: string; result: unknown }>('api/v1/query', {
        form: { query, time: span.to / 1000 },
        signal,
      });
      return toTable(data.resultType, data.result, warnings);
    },
    { enabled: options.enabled !== false && query.trim() !== '' },
  );
}

export interface Exemplar {
  series: Labels;
  labels: Labels;
  value: number;
  /** In ms. */
  time: number;
}

export function useExemplars(query: string, options: { enabled?: boolean } = {}) {
  return useLive<Exemplar[]>(
    ['exemplars', query],
    async (span, signal) => {
      const { data } = await askProm<
        { seriesLabels: Labels; exemplars: { labels: Labels; value: string; timestamp: number }[] }[]
      >('api/v1/query_exemplars', { form: { query, start: span.from / 1000, end: span.to / 1000 }, signal });
      return (data ?? [])
        .flatMap((s) =>
          s.exemplars.map((e) => ({
            series: s.seriesLabels,
            labels: e.labels,
            value: parseNumber(e.value),
            time: e.timestamp * 1000,
          })),
        )
        .sort((a, b) => b.time - a.time);
    },
    { enabled: options.enabled !== false && query.trim() !== '' },
  );
}

/** formatQuery writes PromQL as Prometheus does. */
export async function formatQuery(query: string): Promise<string> {
  return (await askProm<string>('api/v1/format_query', { form: { query } })).data;
}

export interface Meaning {
  type: string;
  help: string;
  unit: string;
}

const names = { staleTime: 60_000, gcTime: 300_000 };

export function useMetadata() {
  return useQuery({
    queryKey: ['metadata'],
    queryFn: async ({ signal }) => (await askProm<Record<string, Meaning[]>>('api/v1/metadata', { signal })).data,
    ...names,
  });
}

/** useLabelNames lists the labels that a selector's series have. */
export function useLabelNames(match: string, enabled = true) {
  return useQuery({
    queryKey: ['labels', match],
    queryFn: async ({ signal }) =>
      (await askProm<string[]>('api/v1/labels', { params: match ? { 'match[]': match } : {}, signal })).data,
    enabled,
    ...names,
  });
}

export function useLabelValues(name: string, match: string, enabled = true) {
  return useQuery({
    queryKey: ['label-values', name, match],
    queryFn: async ({ signal }) =>
      (
        await askProm<string[]>(`api/v1/label/${encodeURIComponent(name)}/values`, {
          params: match ? { 'match[]': match } : {},
          signal,
        })
      ).data,
    enabled: enabled && name !== '',
    ...names,
  });
}

/** ofMetric is the selector of a metric, whatever characters its name has. */
export function ofMetric(name: string): string {
  return name ? selector({ __name__: name }) : '';
}
