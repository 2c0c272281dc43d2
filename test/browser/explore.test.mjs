// Explore, as people use it: from a metric to the lines of the minute in which it rose.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { push, serve } from './asking.mjs';
import { browse, start, until } from './harness.mjs';

let server;
const job = `browser_${Date.now()}`;

before(async () => {
  server = await serve();
  await push(
    server.url,
    { job, service_name: job },
    Array.from({ length: 60 }, (_, i) =>
      JSON.stringify({ level: ['info', 'warn', 'error'][i % 3], msg: `line ${i}`, user: `u${i % 5}`, took: i / 10 }),
    ),
  );
  // The editor asks once for the names of metrics and keeps them a while: they must be there.
  await until('the first scrape', async () => {
    const answer = await (await fetch(`${server.url}/api/v1/query?query=prometheus_tsdb_head_series`)).json();
    return answer.data.result.length > 0;
  });
});

after(async () => {
  await server?.stop();
});

const explore = (query = {}) => {
  const p = new URLSearchParams();
  for (const [k, v] of Object.entries({ range: '15m', ...query })) for (const one of [v].flat()) p.append(k, one);
  return `${server.url}/explore?${p}`;
};
const chart = (page) => page.locator('figure [role=img]').first();

test('PromQL is completed, marked where it is wrong, formatted and run', async () => {
  const { page, clean, close } = await server.open(explore());
  const editor = page.getByRole('textbox', { name: 'Query A' });
  await editor.click();
  await page.keyboard.type('sum(prometheus_tsdb_head_ser');
  const option = page.locator('.cm-tooltip-autocomplete li', { hasText: 'prometheus_tsdb_head_series' }).first();
  await option.click();
  await page.keyboard.press('End');
  await page.keyboard.type('by(job)');
  await page.getByRole('button', { name: 'Format' }).click();
  await page.getByText('sum by (job) (prometheus_tsdb_head_series').waitFor();
  // The palette opens from within the editor, and gives the focus back.
  await editor.click();
  await page.keyboard.press('Control+k');
  await page.getByRole('dialog').getByRole('combobox').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await editor.click();
  await page.keyboard.press('Escape');
  await page.keyboard.press('Enter');
  await chart(page).waitFor();
  assert.match(new URL(page.url()).searchParams.get('metrics'), /sum by \(job\)/);
  await clean();
  // What is wrong is said by the editor, and by the server when it is run.
  await editor.click();
  await page.keyboard.press('Control+A');
  await page.keyboard.type('up + ');
  await page.keyboard.press('Escape');
  await page.locator('.cm-lintRange-error, .cm-lintPoint-error').first().waitFor({ state: 'attached' });
  await page.getByRole('button', { name: 'Run' }).click();
  await page.getByRole('alert').filter({ hasText: 'parse error' }).waitFor();
  await close();
});

test('a query is built by clicks, shown as table, kept in the history and in the address', async () => {
  const { page, clean, close } = await server.open(explore());
  await page.getByRole('button', { name: 'Builder' }).click();
  await page.getByRole('combobox', { name: 'Metric' }).fill('prometheus_tsdb_head_samples_app');
  await page.getByRole('option').filter({ hasText: 'prometheus_tsdb_head_samples_appended_total' }).first().click();
  // A counter is suggested with its rate.
  await page.getByText('rate(prometheus_tsdb_head_samples_appended_total[5m])').first().waitFor();
  await chart(page).waitFor();
  await page.getByText('Table', { exact: true }).click();
  await page.getByRole('columnheader', { name: 'Value' }).waitFor();
  assert.equal(new URL(page.url()).searchParams.get('show'), 'table');
  await page.getByRole('button', { name: 'Add query' }).click();
  await page.getByRole('textbox', { name: 'Query B' }).click();
  await page.keyboard.type('up ');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Enter');
  await page.getByText('Query B').first().waitFor();
  await page.reload();
  await page.getByRole('textbox', { name: 'Query B' }).waitFor();
  await page.getByRole('button', { name: 'History' }).click();
  await page.getByRole('button', { name: /rate\(prometheus_tsdb/ }).waitFor();
  await clean();
  await close();
});

test('a range query is never sent twice at once, and a refresh asks only for the new end', async () => {
  const { page, clean, close } = await server.open(explore({ refresh: 'off' }));
  const asked = [];
  let running = 0;
  let most = 0;
  await page.route('**/api/v1/query_range', async (route) => {
    asked.push(Object.fromEntries(new URLSearchParams(route.request().postData())));
    most = Math.max(most, ++running);
    await wait(300);
    await route.continue();
    running--;
  });
  await page.goto(explore({ metrics: 'up', refresh: 'off' }));
  await page.getByText(/series · One point/).waitFor();
  assert.equal(asked.length, 1);
  const refresh = page.getByRole('button', { name: 'Refresh now' });
  await until('the next step', async () => {
    await refresh.click();
    return asked.length > 1;
  });
  const whole = Number(asked[0].end) - Number(asked[0].start);
  const again = Number(asked[1].end) - Number(asked[1].start);
  assert.ok(whole >= 890, `the whole range is ${whole} s`);
  assert.ok(again <= 90, `the refresh asked for ${again} s`);
  assert.equal(most, 1);
  await clean();
  await close();
});

test('leaving the page cancels what is under way', async () => {
  const { page, close } = await server.open(explore());
  let cancelled = false;
  page.on('requestfailed', (r) => {
    if (r.url().includes('query_range')) cancelled = true;
  });
  await page.route('**/api/v1/query_range', async (route) => {
    await wait(3000);
    await route.continue().catch(() => {});
  });
  await Promise.all([page.waitForRequest('**/api/v1/query_range'), page.goto(explore({ metrics: 'up' }))]);
  await page.getByRole('link', { name: 'Alerts' }).click();
  await until('the query to be cancelled', () => cancelled, 3);
  await close();
});

test('one click leads from a spike to the lines of its minute', async () => {
  const spike = 'spike';
  // Lines in each of the last minutes: the click hits one of them, however long the tests before it took.
  const values = [0, 30, 60, 90].map((ago) => [`${Date.now() - ago * 1000}000000`, `{"level":"info","msg":"${ago} s ago"}`]);
  const answer = await fetch(`${server.url}/loki/api/v1/push`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ streams: [{ stream: { job: spike }, values }] }),
  });
  assert.equal(answer.status, 204);
  const { page, clean, close } = await server.open(explore({ metrics: 'up', logs: `{job="${spike}"}` }));
  await page.getByText(/series · One point/).waitFor();
  const box = await chart(page).boundingBox();
  // Now is at the right end, where the lines are.
  await page.mouse.click(box.x + box.width - 14, box.y + box.height / 2);
  await page.getByText(/Lines of the minute of/).waitFor();
  await page.getByRole('region', { name: 'Log lines' }).getByRole('button').first().waitFor();
  assert.ok(new URL(page.url()).searchParams.get('at'));
  await page.getByRole('button', { name: 'Whole range' }).click();
  assert.equal(new URL(page.url()).searchParams.get('at'), null);
  await clean();
  await close();
});

test('exemplars are dots on the graph, and lead to the lines that name their request', async () => {
  let traced;
  let n = 0;
  // A service that names a request of each scrape, in its metrics and in its log.
  const target = createServer(async (_, answer) => {
    n++;
    const trace = `trace${n}`;
    if (traced) await push(traced.url, { job: 'traced' }, [`${trace} took 0.3 s`, 'another request']).catch(() => {});
    answer.setHeader('Content-Type', 'application/openmetrics-text; version=1.0.0; charset=utf-8');
    answer.end(`# TYPE took_seconds histogram
took_seconds_bucket{le="0.1"} ${n}
took_seconds_bucket{le="+Inf"} ${2 * n} # {trace_id="${trace}"} 0.3 ${Date.now() / 1000}
took_seconds_sum ${n}
took_seconds_count ${2 * n}
# EOF
`);
  });
  await new Promise((done) => target.listen(0, '127.0.0.1', done));
  traced = await start({
    'prometheus.yml': `global: {scrape_interval: 1s}
scrape_configs:
  - job_name: traced
    static_configs: [{targets: ['127.0.0.1:${target.address().port}']}]
`,
  });
  const other = await browse(traced.url);
  try {
    await until('exemplars', () => n > 10);
    const { page, go, clean } = await other.open();
    const query = new URLSearchParams({ range: '5m', metrics: 'rate(took_seconds_bucket[30s])', refresh: 'off' });
    await go(`/explore?${query}`);
    await page.getByText(/^Exemplars: /).waitFor();
    await clean();
    // Observed seconds are not in the unit of a rate: the dots stand on the axis, the newest at the right.
    const box = await chart(page).boundingBox();
    const tip = page.getByText(/^Exemplar: 0.3/);
    for (let x = box.x + box.width - 8; !(await tip.isVisible()); x -= 3) {
      assert.ok(x > box.x, 'no dot is there');
      await page.mouse.move(x, box.y + box.height - 27);
    }
    await page.mouse.down();
    await page.mouse.up();
    await page.waitForURL(/logs=/);
    const asked = new URL(page.url()).searchParams;
    assert.match(asked.get('logs'), /^\{job="traced"\} \|= "trace\d+"$/);
    assert.ok(asked.get('at'));
    const lines = page.getByRole('region', { name: 'Log lines' });
    await lines.getByText(/took 0.3 s/).waitFor();
    assert.equal(await lines.getByText('another request').count(), 0);
    // The same by keyboard.
    await page.locator('summary', { hasText: 'Exemplars: ' }).press('Enter');
    const last = page.getByRole('row').filter({ hasText: 'trace_id=' }).last();
    const [, name] = /trace_id="(\w+)"/.exec(await last.innerText());
    await last.getByRole('button', { name: 'Show lines' }).press('Enter');
    await page.waitForURL((u) => u.searchParams.get('logs') === `{job="traced"} |= "${name}"`);
    await clean();
  } finally {
    await other.close();
    await traced.stop();
    target.close();
  }
});

test('streams are chosen by their labels; fields of a line are filters', async () => {
  const { page, clean, close } = await server.open(explore({ view: 'logs' }));
  await page.getByRole('button', { name: 'job', exact: true }).click();
  await page.getByRole('button', { name: job }).click();
  await page.getByRole('button', { name: 'Show logs' }).click();
  const lines = page.getByRole('region', { name: 'Log lines' });
  await lines.getByRole('button').first().waitFor();
  await page.getByText('60 lines').waitFor();
  await page.getByRole('img', { name: /Lines by level.*error/ }).waitFor();
  // Details, a filter from the text, and the lines around.
  await lines.getByRole('button').first().click();
  await page.getByRole('button', { name: 'Only lines with level=error', exact: true }).first().click();
  await page.getByText('20 lines').waitFor();
  assert.equal(new URL(page.url()).searchParams.get('logs'), `{job="${job}"} | json | level="error"`);
  await page.goBack();
  await page.getByText('60 lines').waitFor();
  await page.getByRole('button', { name: 'Fields' }).click();
  await page.getByRole('button', { name: /^user/ }).click();
  await page.getByRole('button', { name: 'Without lines with user=u1' }).first().click();
  await page.getByText('48 lines').waitFor();
  await lines.getByRole('button').nth(5).click();
  await page.getByRole('button', { name: 'Lines around it' }).click();
  const around = page.getByRole('dialog');
  await around.getByText('"user":"u1"').first().waitFor();
  await page.keyboard.press('Escape');
  // Views and downloads.
  await page.getByText('JSON', { exact: true }).first().click();
  assert.equal(new URL(page.url()).searchParams.get('as'), 'json');
  await page.getByRole('button', { name: 'Download' }).click();
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('menuitem', { name: 'CSV' }).click()]);
  await page.getByRole('menu').waitFor({ state: 'detached' });
  const text = readFileSync(await file.path(), 'utf8');
  assert.equal(text.trim().split('\r\n').length, 49);
  await clean();
  await close();
});

test('log lines are one stop of the Tab key: the arrows move among them, Enter opens one', async () => {
  const { page, clean, close } = await server.open(explore({ logs: `{job="${job}"}` }));
  const lines = page.getByRole('region', { name: 'Log lines' });
  await lines.getByRole('button').first().waitFor();
  await lines.focus();
  const at = () => page.evaluate(() => document.activeElement.closest('[data-index]')?.dataset.index);
  for (const [key, index] of [['ArrowDown', '0'], ['ArrowDown', '1'], ['ArrowDown', '2'], ['ArrowUp', '1']]) {
    await page.keyboard.press(key);
    assert.equal(await at(), index);
  }
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Lines around it' }).waitFor();
  await clean();
  // From an open line the Tab key leads into its details.
  await page.keyboard.press('Tab');
  assert.equal(await at(), '1');
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Shift+Tab');
  assert.equal(await at(), undefined);
  await close();
});

test('a LogQL query for numbers is a graph', async () => {
  const query = `sum by (level) (count_over_time({job="${job}"} | json [1m]))`;
  const { page, clean, close } = await server.open(explore({ logs: query }));
  await page.getByRole('img', { name: /error/ }).waitFor();
  await clean();
  await close();
});

test('the live tail keeps a bounded number of lines, draws few of them, and leaves readers in peace', async () => {
  const live = `${job}_live`;
  await push(server.url, { job: live }, ['level=info msg=begin']);
  const { page, clean, close } = await server.open(explore({ logs: `{job="${live}"}`, live: '1' }));
  await page.getByText(/Following/).waitFor();
  for (let i = 0; i < 12; i++) {
    await push(
      server.url,
      { job: live },
      Array.from({ length: 250 }, (_, k) => `level=info msg="request ${i * 250 + k} served" path=/predict took=12ms`),
    );
  }
  await page.getByText(/2,000 lines kept/).waitFor();
  const rows = await page.locator('[data-index]').count();
  assert.ok(rows < 120, `${rows} rows are drawn`);
  // Whoever scrolls down to read is left in peace.
  await page.getByRole('region', { name: 'Log lines' }).evaluate((e) => e.scrollTo(0, 400));
  await push(server.url, { job: live }, ['level=info msg=more']);
  await page.getByText(/Paused while you read/).waitFor();
  await page.getByRole('button', { name: 'Resume' }).click();
  await page.getByText(/Following/).waitFor();
  await clean();
  await close();
});

for (const look of [
  { name: 'Chinese, dark', scheme: 'dark', locale: 'zh-CN' },
  { name: 'narrow', width: 390, height: 844 },
]) {
  test(`accessible, and as wide as its window: ${look.name}`, async () => {
    const { page, clean, settled, close } = await server.open(explore(), look);
    const addresses = [explore(), explore({ metrics: ['up', 'scrape_duration_seconds'] }), explore({ metrics: 'up', show: 'table' })];
    addresses.push(explore({ metrics: 'up', logs: `{job="${job}"}` }), explore({ view: 'logs' }));
    for (const address of addresses) {
      await page.goto(address);
      await page.locator('h1').waitFor();
      await settled();
      if (address.includes('view=logs') === false && address.includes('logs=')) {
        await page.locator('section[tabindex] button[aria-expanded=false]').first().click();
        await page.locator('section[tabindex] button[aria-expanded=true]').first().waitFor();
      }
      if (look.locale) assert.equal(await page.locator('h1').innerText(), '探索');
      await clean();
    }
    await close();
  });
}
