// The time range that a page is about. It lives in the URL: ?range=6h, or ?from=…&to=… .
import { parseDuration, writeDuration } from './duration';

export type Range = { last: number } | { from: number; to: number };

export const defaultRange: Range = { last: 36e5 };

/** presets are the ranges offered, in ms. */
export const presets = [
  5 * 6e4,
  15 * 6e4,
  30 * 6e4,
  36e5,
  3 * 36e5,
  6 * 36e5,
  12 * 36e5,
  864e5,
  2 * 864e5,
  7 * 864e5,
  30 * 864e5,
];

/** readRange never fails: what it cannot read is the default. */
export function readRange(params: URLSearchParams): Range {
  const from = readTime(params.get('from'));
  const to = readTime(params.get('to'));
  if (from !== undefined && to !== undefined && from < to) return { from, to };
  const last = parseDuration(params.get('range') ?? '');
  return last ? { last } : defaultRange;
}

/** writeRange puts the range into the URL's parameters, nothing where it is the default. */
export function writeRange(params: URLSearchParams, range: Range): void {
  for (const name of ['range', 'from', 'to']) params.delete(name);
  if ('last' in range) {
    if (!('last' in defaultRange) || range.last !== defaultRange.last) params.set('range', writeDuration(range.last));
  } else {
    params.set('from', writeTime(range.from));
    params.set('to', writeTime(range.to));
  }
}

/** readTime understands RFC 3339 and milliseconds since 1970. */
export function readTime(text: string | null): number | undefined {
  if (!text) return undefined;
  if (/^\d{11,14}$/.test(text)) return Number(text);
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}

export function writeTime(ms: number): string {
  return new Date(ms).toISOString().replace('.000Z', 'Z');
}

/** bounds resolves a range against the clock. */
export function bounds(range: Range, now: number): { from: number; to: number } {
  return 'last' in range ? { from: now - range.last, to: now } : range;
}

const steps = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400];

/** stepFor is the resolution in seconds that gives at most `points` points: one of a few, so that it seldom changes. */
export function stepFor(from: number, to: number, points = 240): number {
  const wanted = (to - from) / 1000 / points;
  return steps.find((s) => s >= wanted) ?? Math.ceil(wanted / 86400) * 86400;
}
