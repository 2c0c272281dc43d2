import { describe, expect, it } from 'vitest';
import { addField, addMatcher, addStage, errorAt, kindOf, selectorOf, setSelector, volumeOf } from './logql';

const filtered = '{job="a"} |= "err"';

it.each([
  [filtered, 'lines'],
  ['{job="a"} | json | level="error"', 'lines'],
  ['sum by (x) (rate({job="a"}[5m]))', 'numbers'],
  ['{job="a"', 'broken'],
  ['  ', 'empty'],
])('%s is %s', (query, kind) => {
  expect(kindOf(query)).toBe(kind);
});

describe('filters by a click', () => {
  it('adds a parser once, then the filter', () => {
    const once = addField(filtered, { name: 'level', parser: 'json' }, 'a "b"');
    expect(once).toBe('{job="a"} |= "err" | json | level="a \\"b\\""');
    expect(addField(once, { name: 'x', parser: 'json' }, 'y', '!=')).toBe(`${once} | x!="y"`);
    expect(kindOf(once)).toBe('lines');
  });
  it('changes the pipeline within a query for numbers', () => {
    expect(addStage('sum(rate({job="a"} |= "x" [5m]))', '| json')).toBe('sum(rate({job="a"} |= "x" | json [5m]))');
  });
  it('narrows the streams', () => {
    expect(addMatcher(filtered, 'pod', 'p')).toBe('{job="a", pod="p"} |= "err"');
    expect(addMatcher('', 'pod', 'p')).toBe('{pod="p"}');
  });
  it('replaces the streams and keeps the rest', () => {
    expect(selectorOf(filtered)).toBe('{job="a"}');
    expect(setSelector(filtered, '{b="$&"}')).toBe('{b="$&"} |= "err"');
  });
});

describe('volumeOf', () => {
  it('counts by the level that lines carry', () => {
    expect(volumeOf('{job="a"}', 'json', 30)).toBe('sum by (level) (count_over_time({job="a"} | json [30s]))');
    expect(volumeOf('{job="a"}', 'text', 30)).toBe('sum by (level, detected_level) (count_over_time({job="a"} [30s]))');
    expect(volumeOf('{job="a"} | json', 'json', 5)).toBe('sum by (level) (count_over_time({job="a"} | json [5s]))');
  });
  it('is always a query that can be read', () => {
    for (const format of ['json', 'logfmt', 'text'] as const)
      for (const lenient of [true, false])
        expect(kindOf(volumeOf('{job="a"} |= "x" | level="e"', format, 5, lenient))).toBe('numbers');
  });
});

it('finds where a query breaks', () => {
  expect(errorAt(filtered)).toBeUndefined();
  expect(errorAt('{job=}')?.from).toBeGreaterThan(0);
});
