import { expect, test } from 'vitest';
import { rulesIn } from './rulesIn';

const text = `# Two groups.
groups:
  - name: a
    rules:
      - alert: Down
        expr: up == 0
        for: 5m
        labels: &sev {severity: critical}
      - record: job:up:sum
        expr: sum by (job) (up)

      - {alert: Flow, expr: 'rate(x{a="b"}[5m]) > 1', keep_firing_for: 10m, labels: *sev}
  - name: b
    rules:
      - alert: Logs
        # Error lines.
        expr: |
          sum(count_over_time({app="shop"}
            |= "ERROR" [5m])) > 10
      - alert: Half
      - alert: Number
        expr: 1
`;

test('rulesIn', () => {
  expect(rulesIn(text)).toEqual([
    { name: 'Down', expr: 'up == 0', for: '5m', keepFiringFor: '', from: 5, to: 8 },
    { name: 'Flow', expr: 'rate(x{a="b"}[5m]) > 1', for: '0s', keepFiringFor: '10m', from: 12, to: 12 },
    {
      name: 'Logs',
      expr: 'sum(count_over_time({app="shop"}\n  |= "ERROR" [5m])) > 10',
      for: '0s',
      keepFiringFor: '',
      from: 15,
      to: 19,
    },
    { name: 'Number', expr: '1', for: '0s', keepFiringFor: '', from: 21, to: 22 },
  ]);
});

test('a text that is still being written has the rules that can be read', () => {
  expect(rulesIn(`${text}      - alert: "Open\n`).map((r) => r.name)).toContain('Down');
  for (const broken of ['', 'groups:', 'groups: 5', '- a', 'groups:\n  - rules: {a: b}\n', 'a: [\n', 'groups: *none\n'])
    expect(rulesIn(broken)).toEqual([]);
});
