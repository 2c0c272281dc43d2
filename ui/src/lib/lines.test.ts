import { describe, expect, it } from 'vitest';
import { cell, linesAs } from './download';
import { compareNanos, fieldsOf, formatOf, headline, levelOf, mergeLines, type RawStream, toLines } from './lines';

const stream = { job: 'api' };
const raw = (...values: [string, string][]): RawStream => ({ stream, values });

describe('toLines', () => {
  it('makes one list of several streams, newest first, with labels of the line apart', () => {
    const lines = toLines([
      raw(['1795353782000000001', 'b'], ['1795353781000000000', 'a']),
      { stream: { job: 'db' }, values: [['1795353782000000002', 'c', { parsed: { level: 'error' } }]] },
    ]);
    expect(lines.map((l) => l.line)).toEqual(['c', 'b', 'a']);
    expect(lines[0]).toMatchObject({ level: 'error', found: { level: 'error' }, time: 1795353782000 });
  });

  it('tells equal lines of one moment apart', () => {
    const ids = toLines([raw(['1', 'x'], ['1', 'x'], ['1', 'y'])]).map((l) => l.id);
    expect(new Set(ids).size).toBe(3);
  });
});

it('orders nanoseconds that a number cannot hold', () => {
  expect(compareNanos('1795353782000000002', '1795353782000000001')).toBeGreaterThan(0);
  expect(compareNanos('99', '100')).toBeLessThan(0);
});

describe('levelOf', () => {
  it.each([
    ['{"ts":1,"level":"error"}', {}, 'error'],
    ['level=warn msg="no error here"', {}, 'warn'],
    ['2026-01-01 ERROR it broke', {}, 'error'],
    ['an error in prose is no level', {}, 'unknown'],
    ['plain', { severity: 'WARNING' }, 'warn'],
    ['level=info', { detected_level: 'critical' }, 'critical'],
  ])('%s %o is %s', (line, labels, want) => {
    expect(levelOf(line, labels as Record<string, string>)).toBe(want);
  });
});

describe('mergeLines', () => {
  const at = (n: number, text = `l${n}`) =>
    toLines([raw([`${n}000000`, text])])[0] as ReturnType<typeof toLines>[number];
  it('keeps each line once, newest first, within the limit and the range', () => {
    const merged = mergeLines([at(5000), at(4000)], [at(4000), at(3000), at(2000), at(1000)], 4, 2000);
    expect(merged.map((l) => l.time)).toEqual([5000, 4000, 3000, 2000]);
    expect(mergeLines([at(5000)], [at(1000)], 10, 2000)).toHaveLength(1);
  });
});

describe('fields', () => {
  it('reads nested JSON as the json parser names it', () => {
    expect(fieldsOf('{"a":{"b-c":1},"d":"x","e":[1],"f":null}')).toEqual({
      parser: 'json',
      fields: { a_b_c: '1', d: 'x' },
    });
  });
  it('reads logfmt with quotes', () => {
    expect(fieldsOf('level=info msg="a \\"b\\" c" took=3ms')?.fields).toEqual({
      level: 'info',
      msg: 'a "b" c',
      took: '3ms',
    });
    expect(fieldsOf('just words')).toBeUndefined();
  });
  it('tells what most lines are', () => {
    expect(formatOf([{ line: '{"a":1}' }, { line: '{"a":2}' }, { line: 'oops' }])).toBe('json');
    expect(formatOf([{ line: 'a=1 b=2' }])).toBe('logfmt');
    expect(formatOf([{ line: 'text' }])).toBe('text');
    expect(formatOf([])).toBe('text');
  });
});

describe('downloads', () => {
  it('quotes CSV and never lets a spreadsheet run a line', () => {
    expect(cell('a,"b"')).toBe('"a,""b"""');
    expect(cell('=cmd()')).toBe("'=cmd()");
    expect(cell('-1.5')).toBe('-1.5');
  });
  it('writes times to the nanosecond', () => {
    const lines = toLines([raw(['1795353782123456789', 'x'])]);
    expect(linesAs('txt', lines)).toBe('2026-11-22T13:23:02.123456789Z x\n');
    expect(linesAs('csv', lines)).toBe('time,level,job,line\r\n2026-11-22T13:23:02.123456789Z,unknown,api,x\r\n');
    expect(JSON.parse(linesAs('json', lines))[0].labels).toEqual(stream);
  });
});

it('of a JSON line, what it says comes first', () => {
  expect(headline('{"ts":"t","level":"error","msg":"out of memory","features":202,"who":{"a":1}}')).toEqual({
    message: 'out of memory',
    rest: 'features=202 who={"a":1}',
  });
  for (const line of ['level=info msg=x', '{"a":1}', '{"msg":"cut off', '["msg"]', ''])
    expect(headline(line)).toBeUndefined();
});
