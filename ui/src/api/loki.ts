// LogQL by Loki's API: lines, counts over time, names, fields, patterns and the live tail.
import { useQuery } from '@tanstack/react-query';
import { use } from 'react';
import { at } from '../lib/base';
import { type Labels, selector } from '../lib/labels';
import { type LogLine, mergeLines, type RawStream, toLines } from '../lib/lines';
import { type Matrix, type RawSeries, toMatrix } from '../lib/matrix';
import { ApiError, failure, type Params } from './client';
import { type Span, useLive } from './live';
import { ExploreCache } from './promql';
import { send } from './session';

/** nanos writes ms as Loki wants times. */
const nanos = (ms: number): string => `${Math.floor(ms)}000000`;

/** askLoki asks for labels of the stream, of metadata and of parsers apart. Errors are plain text. */
async function askLoki<T>(path: string, params: Params, signal?: AbortSignal): Promise<T> {
  const form = new URLSearchParams();
  for (const [k, v] of Object.entries(params)) if (v !== undefined) form.append(k, String(v));
  let answer: Response;
  try {
    answer = await send(`loki/api/v1/${path}`, {
      method: 'POST',
      body: form,
      headers: { Accept: 'application/json', 'X-Loki-Response-Encoding-Flags': 'categorize-labels' },
      signal,
    });
  } catch (err) {
    if (err instanceof DOMException && err.name === 'AbortError') throw err;
    throw new ApiError(0, err instanceof Error ? err.message : String(err));
  }
  if (!answer.ok) throw await failure(answer);
  return JSON.parse(await answer.text()) as T;
}

interface Envelope {
  data: { resultType: string; result: unknown };
  warnings?: string[];
}

/** readLines reads the newest lines, or the oldest where forward is asked for. */
export async function readLines(
  query: string,
  span: { start: string; end: string },
  limit: number,
  direction: 'backward' | 'forward',
  signal?: AbortSignal,
): Promise<LogLine[]> {
  const { data } = await askLoki<Envelope>('query_range', { query, ...span, limit, direction }, signal);
  if (data.resultType !== 'streams') throw new ApiError(200, `the answer is a ${data.resultType}, not lines`);
  return toLines(data.result as RawStream[], direction === 'forward');
}

export interface Lines {
  lines: LogLine[];
  /** There may be older lines than these. */
  cut: boolean;
}

/** lateness is how far back lines may still come in, in ms. */
const lateness = 10_000;

/** LineCache keeps the lines of one query, so that a refresh asks only for what came since. */
export class LineCache {
  private kept: { key: string; from: number; to: number; lines: LogLine[]; cut: boolean } | undefined;

  async get(query: string, span: Span, limit: number, signal: AbortSignal, read = readLines): Promise<Lines> {
    const key = `${limit}\n${query}`;
    const old = this.kept;
    const grows = old && old.key === key && old.from <= span.from && old.to > span.from && old.to <= span.to;
    const since = grows ? Math.max(span.from, old.to - lateness) : span.from;
    const fresh = await read(query, { start: nanos(since), end: nanos(span.to) }, limit, 'backward', signal);
    let lines = fresh;
    let cut = fresh.length >= limit;
    if (grows && !cut) {
      lines = mergeLines(fresh, old.lines, limit, span.from);
      cut = old.cut || lines.length >= limit;
    }
    this.kept = { key, from: span.from, to: span.to, lines, cut };
    return { lines, cut };
  }
}

export function useLines(
  query: string,
  limit: number,
  cache: LineCache,
  options: { enabled?: boolean; span?: Span } = {},
) {
  return useLive<Lines>(['lines', query, limit], (span, signal) => cache.get(query, span, limit, signal), {
    ...options,
    enabled: options.enabled !== false && query.trim() !== '',
  });
}

async function readMatrix(
  query: string,
  start: number,
  end: number,
  step: number,
  signal?: AbortSignal,
): Promise<Matrix> {
  const { data, warnings } = await askLoki<Envelope>('query_range', { query, start, end, step }, signal);
  if (data.resultType !== 'matrix') throw new ApiError(200, `the answer is a ${data.resultType}, not series`);
  return toMatrix(data.result as RawSeries[], start, step, Math.round((end - start) / step) + 1, warnings ?? []);
}

/** useLogGraph runs a metric query of LogQL; with partial, also for the step that has not ended yet. */
export function useLogGraph(
  query: string,
  step: number,
  { partial, ...options }: { enabled?: boolean; span?: Span; partial?: boolean } = {},
) {
  const cache = use(ExploreCache);
  return useLive<Matrix>(
    ['log-graph', query, step, partial],
    (span, signal) =>
      cache.get(
        `logql ${query}`,
        Math.ceil(span.from / 1000 / step) * step,
        (partial ? Math.ceil : Math.floor)(span.to / 1000 / step) * step,
        step,
        (_, start, end) => readMatrix(query, start, end, step, signal),
      ),
    { ...options, enabled: options.enabled !== false && query !== '' },
  );
}

const names = { staleTime: 30_000, gcTime: 300_000 };

export function useLogLabels(enabled = true) {
  return useQuery({ queryKey: ['log-labels'], queryFn: ({ signal }) => logLabels(signal), enabled, ...names });
}

export async function logLabels(signal?: AbortSignal): Promise<string[]> {
  return (await askLoki<{ data?: string[] }>('labels', {}, signal)).data ?? [];
}

export async function logValues(name: string, query = '', signal?: AbortSignal): Promise<string[]> {
  const answer = await askLoki<{ data?: string[] }>(
    `label/${encodeURIComponent(name)}/values`,
    query ? { query } : {},
    signal,
  );
  return answer.data ?? [];
}

/** useLogValues lists the values that a label has beside what is chosen already. */
export function useLogValues(name: string, beside: Labels) {
  const query = Object.keys(beside).length ? selector(beside) : '';
  return useQuery({
    queryKey: ['log-values', name, query],
    queryFn: ({ signal }) => logValues(name, query, signal),
    enabled: name !== '',
    ...names,
  });
}

export interface Field {
  label: string;
  type: string;
  cardinality: number;
  parsers: string[] | null;
}

export function useFields(query: string, options: { enabled?: boolean; span?: Span } = {}) {
  return useLive<Field[]>(
    ['fields', query],
    async (span, signal) =>
      (
        await askLoki<{ fields?: Field[] }>(
          'detected_fields',
          { query, start: nanos(span.from), end: nanos(span.to), line_limit: 1000, limit: 200 },
          signal,
        )
      ).fields ?? [],
    { ...options, enabled: options.enabled !== false && query !== '' },
  );
}

export interface Pattern {
  pattern: string;
  level?: string;
  samples: [number, number][];
}

export function usePatterns(query: string, options: { enabled?: boolean; span?: Span } = {}) {
  return useLive<Pattern[]>(
    ['patterns', query],
    async (span, signal) =>
      (await askLoki<{ data?: Pattern[] }>('patterns', { query, start: nanos(span.from), end: nanos(span.to) }, signal))
        .data ?? [],
    { ...options, enabled: options.enabled !== false && query !== '' },
  );
}

export async function formatLogQuery(query: string): Promise<string> {
  return (await askLoki<{ data: string }>('format_query', { query })).data;
}

/** tailAddress is where new lines are streamed. */
export function tailAddress(query: string): string {
  const url = new URL(at('loki/api/v1/tail'), location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  url.search = new URLSearchParams({ query, limit: '200', start: nanos(Date.now() - 600_000) }).toString();
  return url.href;
}
