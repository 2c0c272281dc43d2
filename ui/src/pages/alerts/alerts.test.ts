import { describe, expect, it, vi } from 'vitest';
import type { Alert, AlertGroup, Rule, RuleGroup } from '../../api/alerting';
import { parseMatchers } from '../../lib/matchers';
import { matches, select } from './Active';
import { labelsOf } from './Routing';
import { listOf, stateOf, whereOf } from './Rules';
import { exprOf, healthOf } from './severity';

// It loads the charts on its own, which may last longer than the tests.
vi.mock('../../components/RangeChart', () => ({ RangeChart: () => null }));

vi.hoisted(() => {
  // Pages ask where they are as they load.
  Object.assign(globalThis, { document: { baseURI: 'http://localhost/', querySelector: () => null } });
});

const alert = (name: string, severity: string, state: Alert['status']['state'] = 'active'): Alert => ({
  fingerprint: name,
  labels: { alertname: name, severity },
  annotations: {},
  startsAt: '2026-01-01T00:00:00Z',
  endsAt: '2026-01-01T01:00:00Z',
  receivers: [{ name: 'mail' }],
  status: { state, silencedBy: [], inhibitedBy: [] },
});
const group = (receiver: string, ...alerts: Alert[]): AlertGroup => ({
  labels: {},
  receiver: { name: receiver },
  alerts,
});
const all = { receiver: '', matchers: [], hidden: false };

describe('active alerts', () => {
  const groups = [
    group('mail', alert('Slow', 'warning'), alert('Hidden', 'critical', 'suppressed')),
    group('pager', alert('Down', 'critical')),
  ];
  it('puts the worst first and counts what is left out', () => {
    const got = select(groups, all);
    expect(got.groups.map((g) => g.alerts.map((a) => a.labels.alertname))).toEqual([['Down'], ['Slow']]);
    expect(got.left).toBe(1);
    expect(select(groups, { ...all, hidden: true }).groups[1]?.alerts).toHaveLength(2);
  });
  it('filters by receiver and by labels', () => {
    expect(select(groups, { ...all, receiver: 'pager' }).groups).toHaveLength(1);
    expect(select(groups, { ...all, matchers: parseMatchers('severity=~"warn.*"') ?? [] }).groups).toHaveLength(1);
  });
  it('matches as Alertmanager does: a label that is not there is empty, expressions are anchored', () => {
    const m = (text: string) => matches({ a: 'xyz' }, parseMatchers(text) ?? []);
    expect(m('b=""')).toBe(true);
    expect(m('a=~"y"')).toBe(false);
    expect(m('a!~"y"')).toBe(true);
    expect(m('a=~"("')).toBe(false);
  });
});

describe('rules', () => {
  const rule = (name: string, more: Partial<Rule>): Rule => ({
    type: 'alerting',
    name,
    query: 'up',
    health: 'ok',
    evaluationTime: 0,
    lastEvaluation: '',
    state: 'inactive',
    ...more,
  });
  const g = (name: string, ...rules: Rule[]): RuleGroup => ({
    name,
    file: 'f.yml',
    interval: 1,
    evaluationTime: 0,
    lastEvaluation: '',
    rules,
  });
  const groups = [g('calm', rule('A', {})), g('loud', rule('B', { state: 'firing' }), rule('C', { health: 'err' }))];
  it('puts groups that fire first', () => {
    expect(listOf(groups, '', 'all').map((i) => (i.kind === 'group' ? i.group.name : i.rule.name))).toEqual([
      'loud',
      'B',
      'C',
      'calm',
      'A',
    ]);
  });
  it('finds by words and by state, without groups that have none', () => {
    expect(listOf(groups, 'calm', 'all')).toHaveLength(2);
    expect(listOf(groups, '', 'broken')).toHaveLength(2);
    expect(listOf(groups, 'nothing', 'all')).toEqual([]);
  });
  it('a rule that fails is never shown as quiet', () => {
    expect(stateOf(rule('X', { health: 'err', state: 'inactive' }))).toBe('broken');
  });
});

it('reads the labels of an alert to test, and nothing else', () => {
  expect(labelsOf('alertname="X", severity=critical')).toEqual({ alertname: 'X', severity: 'critical' });
  expect(labelsOf('a=~"b"')).toBeUndefined();
  expect(labelsOf('a')).toBeUndefined();
});

it('knows severities, and treats none as worth a look', () => {
  expect([healthOf('Critical'), healthOf('warning'), healthOf('info'), healthOf(undefined)]).toEqual([
    'down',
    'degraded',
    'unknown',
    'degraded',
  ]);
});

it('finds the expression that an alert links to', () => {
  expect(exprOf('http://h/graph?g0.expr=up+%3D%3D+0&g0.tab=1')).toBe('up == 0');
  expect(exprOf('not an address')).toBe('');
  expect(exprOf(undefined)).toBe('');
});

it('tells rules of one name in one group from each other', () => {
  const rules = ['Down', 'Slow', 'Down'].map((name) => ({ name }) as Rule);
  const g = { name: 'shop', file: 'a.yml', rules } as RuleGroup;
  expect(rules.map((r) => whereOf(g, r))).toEqual([
    { group: 'shop', rule: 'Down' },
    { group: 'shop', rule: 'Slow' },
    { group: 'shop', rule: 'Down', nth: '1' },
  ]);
});
