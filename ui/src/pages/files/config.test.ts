import { describe, expect, test } from 'vitest';
import type { ConfigSchema } from '../../api/files';
import { offersOf, placeOf } from './complete';
import { diff, fold } from './diff';
import { exprOf, groupsOf, insert, ruleKinds, startOf, yamlOf } from './rule';

/** at splits a text at its cursor. */
function at(text: string) {
  const cursor = text.indexOf('|');
  return placeOf(text.replace('|', ''), cursor);
}

describe('the place of a cursor', () => {
  test.each([
    ['|', [], '', []],
    ['glo|', [], 'glo', []],
    ['global:\n  scrape_timeout: 1s\n  scr|', ['global'], 'scr', ['scrape_timeout']],
    ['scrape_configs:\n  - job_name: a\n    sc|', ['scrape_configs'], 'sc', ['job_name']],
    [
      'scrape_configs:\n- job_name: a\n  sc|\n  scheme: http\n- job_name: b',
      ['scrape_configs'],
      'sc',
      ['job_name', 'scheme'],
    ],
    ['scrape_configs:\n  - |', ['scrape_configs'], '', []],
    ['scrape_configs:\n- |', ['scrape_configs'], '', []],
    ['scrape_configs:\n  - job_name: a\n    basic_auth:\n      user|', ['scrape_configs', 'basic_auth'], 'user', []],
    ['groups:\n  - name: a\n    rules:\n      - alert: A\n        ex|', ['groups', 'rules'], 'ex', ['alert']],
    ['groups:\n- name: a\n  rules:\n  - alert: A\n    expr: up\n  - re|', ['groups', 'rules'], 're', []],
    [
      'route:\n  receiver: a\n  routes:\n    - receiver: b\n      routes:\n        - match|',
      ['route', 'routes', 'routes'],
      'match',
      [],
    ],
  ])('%s', (text, path, typed, beside) => {
    expect(at(text)).toEqual({ path, typed, beside });
  });
  test('in a value there is none', () => {
    expect(at('a: b|')).toBeUndefined();
  });
});

const schema: ConfigSchema = {
  root: 'Config',
  list: false,
  types: {
    Config: { global: { type: 'Global' }, jobs: { type: 'Job', list: true } },
    Global: { interval: { value: 'duration' }, labels: { map: true, value: 'text' } },
    Job: { name: { value: 'text' }, global: { type: 'Global' } },
  },
};

test('settings are offered where they may stand, once', () => {
  const offer = (path: string[], beside: string[] = []) =>
    offersOf(schema, { path, typed: '', beside }).map((o) => o.name + o.after);
  expect(offer([])).toEqual(['global:', 'jobs:']);
  expect(offer(['jobs'], ['name'])).toEqual(['global:']);
  expect(offer(['jobs', 'global'])).toEqual(['interval: ', 'labels:']);
  expect(offer(['global', 'labels'])).toEqual([]);
  expect(offer(['nothing'])).toEqual([]);
});

test('a difference tells what went and what came', () => {
  const lines = diff('a\nb\nc\nd\n', 'a\nc\nx\nd\n');
  expect(lines.map((l) => ({ same: ' ', out: '-', in: '+' })[l.kind] + l.text)).toEqual([
    ' a',
    '-b',
    ' c',
    '+x',
    ' d',
    ' ',
  ]);
  expect(lines[3]).toMatchObject({ after: 3 });
  expect(diff('x', 'x').every((l) => l.kind === 'same')).toBe(true);
  expect(diff('x', '').map((l) => l.kind)).toEqual(['out']);
  const long = Array.from({ length: 40 }, (_, i) => `${i}`);
  const folded = fold(diff(long.join('\n'), [...long.slice(0, 20), 'new', ...long.slice(20)].join('\n')), 2);
  expect(folded).toHaveLength(7);
  expect(folded[0]).toBe(18);
  expect(folded[6]).toBe(18);
});

test('every kind of rule has an expression', () => {
  for (const kind of ruleKinds) expect(exprOf(startOf(kind)), kind).not.toBe('');
  expect(exprOf(startOf('errors'))).toBe(
    'sum by (service) (rate(http_requests_total{status=~"5.."}[5m])) / sum by (service) (rate(http_requests_total[5m])) > 0.05',
  );
  expect(exprOf({ ...startOf('logs'), text: 'a "b"' })).toContain('|= "a \\"b\\"" [5m]');
  expect(exprOf({ ...startOf('threshold'), value: '' })).toBe('');
});

describe('a rule is put into a file', () => {
  const rule = yamlOf({ ...startOf('down'), matchers: 'job="a"', summary: "it's down" });
  test('as YAML', () => {
    expect(rule).toEqual([
      '- alert: TargetDown',
      '  expr: \'up{job="a"} == 0\'',
      '  for: 2m',
      '  labels:',
      '    severity: warning',
      '  annotations:',
      "    summary: 'it''s down'",
    ]);
  });
  test('at the end of its group, with the indentation of the others', () => {
    const text =
      '# mine\ngroups:\n- name: a\n  rules:\n  - record: x\n    expr: y\n  interval: 5s\n- name: b\n  rules:\n    - alert: B\n      expr: up\n';
    const a = insert(text, 'a', rule);
    expect(a?.line).toBe(7);
    expect(a?.text).toContain('    expr: y\n  - alert: TargetDown\n    expr:');
    expect(a?.text).toContain("it''s down'\n  interval: 5s\n- name: b");
    const b = insert(text, 'b', rule);
    expect(
      b?.text.endsWith(
        "      expr: up\n    - alert: TargetDown\n      expr: 'up{job=\"a\"} == 0'\n      for: 2m\n      labels:\n        severity: warning\n      annotations:\n        summary: 'it''s down'\n",
      ),
    ).toBe(true);
    expect(groupsOf(text)).toEqual(['a', 'b']);
  });
  test('in a new group', () => {
    expect(insert('', 'new', ['- alert: A'])).toEqual({
      text: 'groups:\n  - name: new\n    rules:\n      - alert: A\n',
      line: 4,
    });
    expect(insert('groups: []\n', 'new', ['- alert: A'])?.text).toBe(
      'groups:\n  - name: new\n    rules:\n      - alert: A\n',
    );
    expect(insert('groups:\n- name: a\n  rules: []\n', 'new', ['- alert: A'])?.text).toBe(
      'groups:\n- name: a\n  rules: []\n- name: new\n  rules:\n    - alert: A\n',
    );
  });
  test('but not into a notation that cannot be added to', () => {
    expect(insert('groups: [{name: a, rules: []}]\n', 'b', ['- alert: A'])).toBeUndefined();
    expect(insert('groups:\n- name: a\n  rules: []\n', 'a', ['- alert: A'])).toBeUndefined();
  });
});
