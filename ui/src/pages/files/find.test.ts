import { describe, expect, test } from 'vitest';
import { soughtIn } from '../../lib/sought';
import { lineOf } from './find';

const jobs = `# Jobs.
global: {scrape_interval: 1s}
scrape_configs:
  - scheme: https
    job_name: "second key" # of its job
  - {job_name: flow}
  - job_name: 7
`;

const rules = `groups:
  - name: Down
    rules:
      - record: job:up:sum
        expr: sum by (job) (up)
  - name: shop
    rules:
      - alert: Down
        expr: up == 0
      - {alert: Down, expr: up == 0, labels: {severity: critical}}
      - alert: "Slow one"
        expr: x > 1
`;

describe('the line of what is sought', () => {
  test.each([
    ['job=second+key', jobs, 4],
    ['job=flow', jobs, 6],
    ['job=7', jobs, 7],
    ['job=none', jobs, 0],
    ['job=https', jobs, 0],
    ['receiver=mail', 'receivers:\n- name: hook\n- name: mail\n', 3],
    ['group=Down', rules, 2],
    ['group=shop', rules, 6],
    ['group=shop&rule=Down', rules, 8],
    ['group=shop&rule=Down&nth=1', rules, 10],
    ['group=shop&rule=Down&nth=9', rules, 8],
    ['group=shop&rule=Slow+one&nth=x', rules, 11],
    ['group=Down&rule=job:up:sum', rules, 4],
    ['group=shop&rule=gone', rules, 6],
    ['group=gone&rule=Down', rules, 0],
    ['', rules, 0],
    ['job=a', 'scrape_configs: [\n', 0],
    ['job=a', '', 0],
  ])('%s', (search, text, line) => {
    expect(lineOf(text, soughtIn(`?from=now-1h&${search}`))).toBe(line);
  });
});
