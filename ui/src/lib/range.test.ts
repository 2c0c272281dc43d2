import { expect, test } from 'vitest';
import { parseDuration, writeDuration } from './duration';
import { type Range, readRange, stepFor, writeRange } from './range';

test.each([
  ['30s', 30_000],
  ['1h30m', 5_400_000],
  ['1w', 604_800_000],
  ['10d', 864_000_000],
  ['250ms', 250],
])('duration %s', (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
  expect(writeDuration(ms)).toBe(text);
});

test.each(['', '5', 'm', '5x', '-5m', '1.5h'])('%j is no duration', (text) => {
  expect(parseDuration(text)).toBeUndefined();
});

test.each<[string, Range]>([
  ['range=6h', { last: 216e5 }],
  ['from=2026-03-02T15:00:00Z&to=2026-03-02T16:00:00Z', { from: 1772463600000, to: 1772467200000 }],
  ['from=1772463600000&to=1772467200000', { from: 1772463600000, to: 1772467200000 }],
  ['from=2026-03-02T16:00:00Z&to=2026-03-02T15:00:00Z', { last: 36e5 }],
  ['range=nonsense', { last: 36e5 }],
  ['', { last: 36e5 }],
])('%s', (query, range) => {
  const params = new URLSearchParams(query);
  expect(readRange(params)).toEqual(range);
  // What is written is read the same.
  writeRange(params, range);
  expect(readRange(params)).toEqual(range);
});

test('steps are few, and never give more points than asked for', () => {
  for (const hours of [0.1, 1, 6, 24, 24 * 30, 24 * 400]) {
    const step = stepFor(0, hours * 36e5);
    expect((hours * 3600) / step).toBeLessThanOrEqual(240);
  }
  expect(stepFor(0, 36e5)).toBe(15);
});
