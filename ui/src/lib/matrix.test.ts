import { describe, expect, test } from 'vitest';
import { type FetchRange, join, type Matrix, RangeCache, toMatrix } from './matrix';

const matrix = (start: number, values: number[], labels = { a: '1' }): Matrix => ({
  start,
  step: 10,
  count: values.length,
  warnings: [],
  series: [{ labels, values: Float64Array.from(values) }],
});
const valuesOf = (m: Matrix) => m.series.map((s) => [...s.values]);
const gap = Number.NaN;

test('raw series are put on the grid, with gaps', () => {
  const m = toMatrix(
    [
      {
        metric: { a: '1' },
        values: [
          [110, '1'],
          [130, '+Inf'],
          [140, 'NaN'],
        ],
      },
    ],
    100,
    10,
    5,
  );
  expect(valuesOf(m)).toEqual([[gap, 1, gap, Number.POSITIVE_INFINITY, gap]]);
});

describe('join', () => {
  test('newer points win, older ones fill the rest', () => {
    expect(valuesOf(join(matrix(100, [1, 2, 3, 4]), matrix(130, [40, 50]), 110, 4))).toEqual([[2, 3, 40, 50]]);
  });
  test('a series that left the window is forgotten, a new one begins with a gap', () => {
    const joined = join(matrix(100, [1, gap, gap, gap], { a: 'old' }), matrix(130, [7, 8], { a: 'new' }), 110, 4);
    expect(joined.series.map((s) => s.labels)).toEqual([{ a: 'new' }]);
    expect(valuesOf(joined)).toEqual([[gap, gap, 7, 8]]);
  });
  test('a series that ended keeps its past', () => {
    const joined = join(matrix(100, [1, 2, 3, 4]), { ...matrix(130, [0, 0]), series: [] }, 110, 4);
    expect(valuesOf(joined)).toEqual([[2, 3, gap, gap]]);
  });
});

describe('RangeCache', () => {
  /** server answers each point with its time, and remembers what was asked. */
  function server() {
    const asked: [number, number][] = [];
    const fetch: FetchRange = async (_query, start, end, step) => {
      asked.push([start, end]);
      const count = (end - start) / step + 1;
      return matrix(
        start,
        Array.from({ length: count }, (_, i) => start + i * step),
      );
    };
    return { asked, fetch };
  }

  test('a refresh asks only for the new end', async () => {
    const { asked, fetch } = server();
    const cache = new RangeCache(10, 20);
    await cache.get('up', 1000, 2000, 10, fetch);
    const m = await cache.get('up', 1030, 2030, 10, fetch);
    expect(asked).toEqual([
      [1000, 2000],
      [1980, 2030],
    ]);
    expect(m.start).toBe(1030);
    expect(valuesOf(m)[0]).toEqual(Array.from({ length: 101 }, (_, i) => 1030 + i * 10));
  });

  test('the same question is under way once', async () => {
    const { asked, fetch } = server();
    const cache = new RangeCache();
    const [a, b] = await Promise.all([cache.get('up', 0, 100, 10, fetch), cache.get('up', 0, 100, 10, fetch)]);
    expect(asked).toHaveLength(1);
    expect(a).toBe(b);
  });

  test('an earlier beginning asks for everything again', async () => {
    const { asked, fetch } = server();
    const cache = new RangeCache(10, 20);
    await cache.get('up', 1000, 2000, 10, fetch);
    await cache.get('up', 500, 2000, 10, fetch);
    expect(asked[1]).toEqual([500, 2000]);
  });

  test('a failure is not kept', async () => {
    const { fetch } = server();
    const cache = new RangeCache();
    await expect(cache.get('up', 0, 100, 10, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect((await cache.get('up', 0, 100, 10, fetch)).count).toBe(11);
  });
});
