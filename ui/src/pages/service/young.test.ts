import { expect, test } from 'vitest';
import { fitting } from './Young';

const minute = 60_000;
const to = Date.parse('2026-01-02T03:04:05Z');

test.each([
  ['a minute of an hour', 60, 1, 5],
  ['six minutes of an hour', 60, 6, 15],
  ['all of an hour but little', 60, 50, undefined],
  ['more than the range', 60, 600, undefined],
  ['the range is as narrow as they come', 5, 0.2, undefined],
  ['a clock that is ahead', 60, -1, undefined],
])('%s', (_, range, age, wanted) => {
  const got = fitting(to - age * minute, to - range * minute, to);
  expect(got).toBe(wanted === undefined ? undefined : wanted * minute);
});

test('no inference yet', () => {
  expect(fitting(Number.NaN, to - 60 * minute, to)).toBeUndefined();
});
