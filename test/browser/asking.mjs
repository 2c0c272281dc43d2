// What the tests of Explore and Alerts add to the harness: a receiver that listens, log lines, and whole addresses.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { browse, start } from './harness.mjs';

/** listener takes webhooks, as the receiver of the tests. */
async function listener() {
  const got = [];
  const server = createServer((request, answer) => {
    let body = '';
    request.on('data', (d) => {
      body += d;
    });
    request.on('end', () => {
      got.push(body);
      answer.end();
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return { got, address: `http://127.0.0.1:${server.address().port}/`, stop: () => server.close() };
}

/**
 * serve runs modelwatch with a rule that fires, routes and a receiver. MODELWATCH_URL names one that runs already, for
 * working on the pages.
 */
export async function serve() {
  const hooks = await listener();
  const given = process.env.MODELWATCH_URL;
  const server = given
    ? { url: given.replace(/\/$/, ''), stop: async () => {} }
    : await start({
        'prometheus.yml': `global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [rules.yml]
scrape_configs:
  - job_name: gone
    static_configs: [{targets: ['127.0.0.1:1']}]
`,
        'rules.yml': `groups:
  - name: test
    rules:
      - alert: TargetDown
        expr: up == 0
        labels: {severity: critical, service: gone}
        annotations: {summary: '{{ $labels.job }} does not answer'}
      - record: job:up:sum
        expr: sum by (job) (up)
`,
        'alertmanager.yml': `route:
  receiver: hook
  group_by: [alertname, service]
  group_wait: 0s
  group_interval: 1s
  routes:
    - receiver: nobody
      matchers: [severity="info"]
receivers:
  - name: hook
    webhook_configs: [{url: '${hooks.address}'}]
  - name: nobody
`,
      });
  const browser = await browse(server.url);
  return {
    url: server.url,
    hooks,
    stop: async () => {
      await browser.close();
      await server.stop();
      hooks.stop();
    },
    /** open shows an address in a tab of its own; clean is the harness's. */
    open: async (address, look) => {
      const tab = await browser.open(look);
      tab.page.setDefaultTimeout(15_000);
      await tab.page.goto(address);
      return tab;
    },
  };
}

/** push stores lines, the newest last. */
export async function push(url, labels, lines) {
  const now = BigInt(Date.now()) * 1_000_000n;
  const values = lines.map((line, i) => [String(now + BigInt(i)), line]);
  const answer = await fetch(`${url}/loki/api/v1/push`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ streams: [{ stream: labels, values }] }),
  });
  assert.ok(answer.ok, `${answer.status} ${await answer.text()}`);
}
