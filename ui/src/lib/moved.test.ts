import { expect, it } from 'vitest';
import { moved } from './moved';

it.each([
  ['', '', '#/alerts?receiver=email-notifications', '/alerts?receiver=email-notifications'],
  ['', '', '#/alerts', '/alerts'],
  ['', '', '#/silences', '/alerts/silences'],
  ['', '', '#/silences/6b2a-9', '/alerts/silences?id=6b2a-9'],
  ['', '', '#/silences/new?filter=%7Ba%3D%22b%22%7D', '/alerts/silences?new=1&filter=%7Ba%3D%22b%22%7D'],
  ['', '', '#/status', '/alerts/routing'],
  ['', '', '', undefined],
  ['', '', '#content', undefined],
  ['graph', '?g0.expr=up+%3D%3D+0&g0.tab=1', '', '/explore?metrics=up+%3D%3D+0&show=table'],
  ['graph', '?g0.expr=a&g0.tab=0&g0.range_input=6h&g1.expr=b', '', '/explore?metrics=a&metrics=b&range=6h'],
  [
    'query',
    '?g0.expr=a&g0.range_input=1h&g0.end_input=2026-11-22%2012%3A00%3A00',
    '',
    '/explore?metrics=a&from=2026-11-22T11%3A00%3A00Z&to=2026-11-22T12%3A00%3A00Z',
  ],
  ['graph', '', '', '/explore'],
  ['rules', '', '', '/alerts/rules'],
  ['targets', '', '', '/status'],
  ['alerts', '', '', undefined],
  ['status', '', '', undefined],
  ['explore', '', '', undefined],
])('%s%s%s leads to %s', (path, search, hash, want) => {
  expect(moved(path, search, hash)).toBe(want);
});
