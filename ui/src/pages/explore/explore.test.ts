import { describe, expect, it, vi } from 'vitest';
import { LineCache } from '../../api/loki';
import { toTable } from '../../api/promql';
import { type LogLine, toLines } from '../../lib/lines';
import { build, empty, parse, suggest } from './builder';
import { placeOf } from './complete';
import { noted } from './history';
import { read, write } from './state';
import { TailBuffer } from './tail';

vi.hoisted(() => {
  // Pages ask where they are as they load.
  Object.assign(globalThis, { document: { baseURI: 'http://localhost/', querySelector: () => null } });
});

describe('the builder', () => {
  const texts = [
    'up',
    'up{job="a", instance=~"b.*"}',
    'rate(http_requests_total{code!="200"}[5m])',
    'sum by (job, code) (rate(http_requests_total[5m]))',
    'histogram_quantile(0.95, sum by (le) (rate(latency_seconds_bucket{job="a"}[5m])))',
    'max (up)',
    '{"a.metric", "a.label"="x"}',
  ];
  it.each(texts)('reads and writes %s', (text) => {
    const spec = parse(text);
    expect(spec).toBeDefined();
    expect(build(spec ?? empty)).toBe(text);
  });
  it('reads other spacing and by at the end', () => {
    expect(build(parse('sum(rate(x[5m]))by(a)') ?? empty)).toBe('sum by (a) (rate(x[5m]))');
  });
  it.each(['a + b', 'sum(rate(x[5m])) / sum(rate(y[5m]))', 'topk(5, x)', 'x offset 5m', 'rate(x[5m:1m])', 'up{job='])(
    'does not pretend to show %s',
    (text) => {
      expect(parse(text)).toBeUndefined();
    },
  );
  it('begins as most want it', () => {
    expect(suggest('x_total', 'counter').fn).toBe('rate');
    expect(suggest('x_bucket', 'histogram')).toMatchObject({ agg: 'sum', by: ['le'], quantile: 0.95 });
    expect(suggest('temperature', 'gauge').fn).toBe('');
  });
});

describe('completion of LogQL', () => {
  it.each([
    ['{', 'label', ''],
    ['{jo', 'label', 'jo'],
    ['{job="a", in', 'label', 'in'],
    ['{job="ai', 'value', 'ai'],
    ['{job=~"', 'value', ''],
    ['{job="a"} | js', 'stage', 'js'],
    ['{job="a"} ', 'filter', ''],
    ['sum by (le', 'label', 'le'],
    ['rat', 'start', 'rat'],
    ['sum(count_', 'start', 'count_'],
  ])('%s wants a %s', (text, kind, typed) => {
    expect(placeOf(text)).toMatchObject({ kind, typed });
  });
  it('is silent within a text', () => {
    expect(placeOf('{job="a"} |= "err')).toBeUndefined();
  });
  it('knows whose value is typed', () => {
    expect(placeOf('{job="a", pod!="x')?.name).toBe('pod');
  });
});

describe('the address', () => {
  it('says what is shown, and back', () => {
    const p = new URLSearchParams('range=6h&metrics=up&metrics=x&logs=%7Ba%3D%22b%22%7D&show=table&hide=1');
    const s = read(p);
    expect(s).toMatchObject({ view: 'split', exprs: ['up', 'x'], hidden: [1], show: 'table' });
    const again = write(p, s);
    expect(again.get('range')).toBe('6h');
    expect(read(again)).toEqual(s);
  });
  it('shows what is asked where no view is named', () => {
    expect(read(new URLSearchParams('logs=x')).view).toBe('logs');
    expect(read(new URLSearchParams('metrics=x')).view).toBe('metrics');
    expect(read(new URLSearchParams('view=nonsense')).view).toBe('metrics');
  });
});

it('keeps each query once in the history, the newest first', () => {
  const list = noted(noted([], { language: 'promql', query: 'a', at: 1 }), { language: 'promql', query: 'b', at: 2 });
  expect(noted(list, { language: 'promql', query: ' a ', at: 3 }).map((p) => p.query)).toEqual(['a', 'b']);
  expect(noted(list, { language: 'logql', query: 'a', at: 3 })).toHaveLength(3);
  expect(noted(list, { language: 'promql', query: ' ', at: 3 })).toBe(list);
});

describe('the live tail', () => {
  const line = (n: number) => toLines([{ stream: {}, values: [[`${n}000000`, `l${n}`]] }])[0] as LogLine;
  it('holds no more lines than its bound, the newest first', () => {
    const b = new TailBuffer(3);
    b.push([line(2), line(1)]);
    b.push([line(3)]);
    expect(b.flush().map((l) => l.line)).toEqual(['l3', 'l2', 'l1']);
    const same = b.flush();
    expect(b.flush()).toBe(same);
    b.push([line(5), line(4)]);
    expect(b.flush().map((l) => l.line)).toEqual(['l5', 'l4', 'l3']);
    for (let i = 0; i < 100; i++) b.push([line(10 + i)]);
    expect(b.flush()).toHaveLength(3);
    expect(b.total).toBe(105);
  });
});

describe('lines that are read again', () => {
  const at = (n: number) => toLines([{ stream: {}, values: [[`${n}000000`, `l${n}`]] }])[0] as LogLine;
  it('asks only for the new end', async () => {
    const asked: string[][] = [];
    const cache = new LineCache();
    const never = new AbortController().signal;
    const answer = (lines: LogLine[]) => async (_q: string, span: { start: string; end: string }) => {
      asked.push([span.start, span.end]);
      return lines;
    };
    await cache.get('{}', { from: 0, to: 60_000 }, 10, never, answer([at(50_000), at(20_000)]));
    const next = await cache.get('{}', { from: 15_000, to: 75_000 }, 10, never, answer([at(70_000), at(50_000)]));
    expect(asked[1]).toEqual(['50000000000', '75000000000']);
    expect(next.lines.map((l) => l.time)).toEqual([70_000, 50_000, 20_000]);
    expect(next.cut).toBe(false);
    // Another query, or an earlier range, is read whole.
    await cache.get('{a}', { from: 15_000, to: 75_000 }, 10, never, answer([]));
    expect(asked[2]?.[0]).toBe('15000000000');
  });
  it('reads the whole range anew where more came than fit', async () => {
    const cache = new LineCache();
    const never = new AbortController().signal;
    await cache.get('{}', { from: 0, to: 60_000 }, 2, never, async () => [at(1000)]);
    const next = await cache.get('{}', { from: 0, to: 75_000 }, 2, never, async () => [at(70_000), at(65_000)]);
    expect(next).toMatchObject({ cut: true });
    expect(next.lines).toHaveLength(2);
  });
});

it('makes rows of every type of answer', () => {
  expect(toTable('scalar', [1, '2.5']).rows[0]).toMatchObject({ value: 2.5 });
  expect(toTable('string', [1, 'x']).rows[0]).toMatchObject({ text: 'x', value: Number.NaN });
  expect(toTable('vector', [{ metric: { a: 'b' }, value: [1, '+Inf'] }]).rows[0]?.value).toBe(Number.POSITIVE_INFINITY);
  expect(toTable('vector', [{ metric: {}, histogram: [1, { count: '3', sum: '6' }] }]).rows[0]?.text).toBe(
    'count 3, sum 6',
  );
  expect(
    toTable('matrix', [
      {
        metric: {},
        values: [
          [1, '1'],
          [2, '2'],
        ],
      },
    ]).rows,
  ).toHaveLength(2);
});
