// Range results on a grid of times, and a cache that asks only for what it lacks.
import { keyOf, type Labels } from './labels';

/** Matrix is what a range query says: each series' values at start, start+step, …; NaN where there is none. */
export interface Matrix {
  /** Seconds since 1970. */
  start: number;
  step: number;
  count: number;
  series: { labels: Labels; values: Float64Array }[];
  warnings: string[];
}

/** Sample pairs as Prometheus sends them. A histogram has no value here. */
export interface RawSeries {
  metric: Labels;
  values?: [number, string][];
}

export const empty = (start: number, step: number, count: number): Matrix => ({
  start,
  step,
  count,
  series: [],
  warnings: [],
});

export function parseNumber(text: string): number {
  if (text === '+Inf' || text === 'Inf') return Number.POSITIVE_INFINITY;
  if (text === '-Inf') return Number.NEGATIVE_INFINITY;
  return Number(text);
}

/** toMatrix puts raw series on the grid. */
export function toMatrix(
  raw: RawSeries[],
  start: number,
  step: number,
  count: number,
  warnings: string[] = [],
): Matrix {
  return {
    start,
    step,
    count,
    warnings,
    series: raw.map(({ metric, values = [] }) => {
      const out = new Float64Array(count).fill(Number.NaN);
      for (const [t, v] of values) {
        const i = Math.round((t - start) / step);
        if (i >= 0 && i < count) out[i] = parseNumber(v);
      }
      return { labels: metric, values: out };
    }),
  };
}

/** join lays newer over older and cuts to the grid asked for. Both must have the same step and phase. */
export function join(older: Matrix, newer: Matrix, start: number, count: number): Matrix {
  const { step } = newer;
  const from = Math.round((newer.start - start) / step);
  const shift = Math.round((older.start - start) / step);
  const byKey = new Map<string, { labels: Labels; values: Float64Array }>();
  const place = (labels: Labels) => {
    const key = keyOf(labels);
    let s = byKey.get(key);
    if (!s) {
      s = { labels, values: new Float64Array(count).fill(Number.NaN) };
      byKey.set(key, s);
    }
    return s;
  };
  for (const s of older.series) {
    const end = Math.min(older.count, from - shift, count - shift);
    const begin = Math.max(0, -shift);
    let any = false;
    for (let i = begin; i < end && !any; i++) any = !Number.isNaN(s.values[i]);
    // A series that has left the window altogether is forgotten.
    if (any) place(s.labels).values.set(s.values.subarray(begin, end), begin + shift);
  }
  for (const s of newer.series) {
    const { values } = place(s.labels);
    for (let i = 0; i < newer.count; i++) {
      const j = i + from;
      if (j >= 0 && j < count) values[j] = s.values[i] as number;
    }
  }
  return { start, step, count, series: [...byKey.values()], warnings: newer.warnings };
}

export type FetchRange = (query: string, start: number, end: number, step: number) => Promise<Matrix>;

/**
 * RangeCache answers range queries from what it already has, and fetches only the new end. The last points are always
 * fetched again, since samples and rules may arrive late.
 */
export class RangeCache {
  private kept = new Map<string, Matrix>();
  private running = new Map<string, Promise<Matrix>>();
  private readonly limit: number;
  private readonly late: number;

  /** limit is how many queries are kept; late is in seconds how far back samples may still change. */
  constructor(limit = 150, late = 60) {
    this.limit = limit;
    this.late = late;
  }

  async get(query: string, from: number, to: number, step: number, fetch: FetchRange): Promise<Matrix> {
    const end = Math.floor(to / step) * step;
    const start = Math.ceil(from / step) * step;
    const count = Math.max(1, Math.round((end - start) / step) + 1);
    const key = `${step}\n${query}`;
    // One query is never under way twice: a second asker waits, and then most often has all it needs.
    const same = `${key}\n${start}\n${end}`;
    const already = this.running.get(same);
    if (already) return already;
    const asked = this.fetch(key, query, { start, end, step, count }, fetch).finally(() => this.running.delete(same));
    this.running.set(same, asked);
    return asked;
  }

  private async fetch(
    key: string,
    query: string,
    grid: { start: number; end: number; step: number; count: number },
    fetch: FetchRange,
  ): Promise<Matrix> {
    const { start, end, step, count } = grid;
    const old = this.kept.get(key);
    const oldEnd = old ? old.start + (old.count - 1) * step : 0;
    let result: Matrix;
    if (old && old.start <= start && oldEnd >= start && oldEnd <= end) {
      const again = Math.max(start, Math.floor((oldEnd - this.late) / step) * step);
      result = join(old, await fetch(query, again, end, step), start, count);
    } else {
      result = await fetch(query, start, end, step);
    }
    this.kept.delete(key);
    this.kept.set(key, result);
    if (this.kept.size > this.limit) this.kept.delete(this.kept.keys().next().value as string);
    return result;
  }

  clear(): void {
    this.kept.clear();
  }
}
