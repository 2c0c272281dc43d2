// Explore, as people use it: from a metric to the lines of the minute in which it rose.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { push, serve } from './asking.mjs';

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
  await option.waitFor();
  await wait(200);
  await page.keyboard.press('Enter');
  await page.keyboard.press('End');
  await page.keyboard.type('by(job)');
  await page.getByRole('button', { name: 'Format' }).click();
  await page.getByText('sum by (job) (prometheus_tsdb_head_series').waitFor();
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
  await wait(6000);
  const refresh = page.getByRole('button', { name: 'Refresh now' });
  await refresh.click();
  await wait(1500);
  assert.equal(asked.length, 2);
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
  await page.goto(explore({ metrics: 'up' }));
  await wait(700);
  await page.getByRole('link', { name: 'Alerts' }).click();
  await wait(500);
  assert.ok(cancelled, 'the query was not cancelled');
  await close();
});

test('one click leads from a spike to the lines of its minute', async () => {
  const { page, clean, close } = await server.open(explore({ metrics: 'up', logs: `{job="${job}"}` }));
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
  const text = readFileSync(await file.path(), 'utf8');
  assert.equal(text.trim().split('\r\n').length, 49);
  await clean();
  await close();
});

test('a LogQL query for numbers is a graph', async () => {
  const query = `sum by (level) (count_over_time({job="${job}"} | json [1m]))`;
  const { page, clean, close } = await server.open(explore({ logs: query }));
  await page.getByRole('img', { name: /error/ }).waitFor();
  await clean();
  await close();
});

test('the live tail of 1,000 lines a second stays above 30 frames a second, with bounded memory', async (t) => {
  const live = `${job}_live`;
  await push(server.url, { job: live }, ['level=info msg=begin']);
  const { page, clean, close } = await server.open(explore({ logs: `{job="${live}"}`, live: '1' }));
  await page.getByText(/Following/).waitFor();
  let on = true;
  let n = 0;
  const load = (async () => {
    const begin = Date.now();
    while (on) {
      const due = Math.floor((Date.now() - begin) / 1) - n;
      if (due >= 50) {
        await push(
          server.url,
          { job: live },
          Array.from({ length: due }, () => `level=info msg="request ${n++} served" path=/predict took=12ms`),
        );
      }
      await wait(20);
    }
  })();
  await wait(2000);
  const seconds = 5;
  const came = n;
  const { frames, rows } = await page.evaluate(
    (ms) =>
      new Promise((done) => {
        const begin = performance.now();
        let frames = 0;
        let rows = 0;
        const tick = (now) => {
          frames++;
          rows = Math.max(rows, document.querySelectorAll('[data-index]').length);
          if (now - begin < ms) requestAnimationFrame(tick);
          else done({ frames, rows });
        };
        requestAnimationFrame(tick);
      }),
    seconds * 1000,
  );
  const rate = (n - came) / seconds;
  on = false;
  await load;
  t.diagnostic(`${(frames / seconds).toFixed(1)} frames/s at ${rate.toFixed(0)} lines/s, at most ${rows} rows drawn`);
  assert.ok(rate > 800, `the load was only ${rate} lines/s`);
  assert.ok(frames / seconds > 30, `only ${frames / seconds} frames/s`);
  assert.ok(rows < 120, `${rows} rows are drawn`);
  await page.getByText(/2,000 lines kept/).waitFor();
  // Whoever scrolls down to read is left in peace.
  await page.getByRole('region', { name: 'Log lines' }).evaluate((e) => e.scrollTo(0, 400));
  await page.getByText(/Paused while you read/).waitFor();
  await page.getByRole('button', { name: 'Resume' }).click();
  await page.getByText(/Following/).waitFor();
  await clean();
  await close();
});

test('50 series of 1,000 points take at most 60 ms of the main thread', async (t) => {
  const { page, clean, close } = await server.open(explore());
  const end = Math.floor(Date.now() / 1000 / 15) * 15;
  const result = Array.from({ length: 50 }, (_, s) => ({
    metric: { __name__: 'wave', series: `s${s}` },
    values: Array.from({ length: 1000 }, (_, i) => [end - (999 - i) * 15, (Math.sin(i / 50 + s) * 10 + s).toFixed(3)]),
  }));
  const body = JSON.stringify({ status: 'success', data: { resultType: 'matrix', result } });
  await page.route('**/api/v1/query_range', (route) => route.fulfill({ contentType: 'application/json', body }));
  // The thread's own time, so that what else the machine does is not counted.
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  const spent = async () => {
    const { metrics } = await session.send('Performance.getMetrics');
    return 1000 * metrics.find((m) => m.name === 'TaskDuration').value;
  };
  const median = (list) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)];
  const answers = [];
  for (let i = 0; i < 5; i++) {
    await page.goto(explore({ range: '4h', metrics: 'wave', show: 'table', refresh: 'off' }));
    await page.getByRole('textbox', { name: 'Query A' }).waitFor();
    await wait(700);
    const before = await spent();
    await page.getByText('Graph', { exact: true }).click();
    await page.getByText(/50 series · One point/).waitFor();
    await wait(400);
    answers.push((await spent()) - before);
  }
  // One series alone and then all again: the second draws 50 × 1,000 points anew.
  const key = page.getByRole('button', { name: /series="s0"/ });
  const draws = [];
  for (let i = 0; i < 9; i++) {
    await key.evaluate((e) => e.click());
    await wait(200);
    const before = await spent();
    await key.evaluate((e) => e.click());
    await wait(200);
    draws.push((await spent()) - before);
  }
  t.diagnostic(`drawn in ${median(draws).toFixed(0)} ms; from bytes to picture, page and all, ${median(answers).toFixed(0)} ms`);
  assert.ok(median(draws) <= 60, `drawing takes ${draws.map((x) => x.toFixed(0))} ms`);
  await clean();
  await close();
});

for (const look of [
  { name: 'light' },
  { name: 'dark', scheme: 'dark' },
  { name: 'Chinese', locale: 'zh-CN' },
  { name: 'narrow', width: 390, height: 844, scheme: 'dark' },
]) {
  test(`accessible, and as wide as its window: ${look.name}`, async () => {
    const addresses = [explore(), explore({ metrics: ['up', 'scrape_duration_seconds'] }), explore({ metrics: 'up', show: 'table' })];
    addresses.push(explore({ metrics: 'up', logs: `{job="${job}"}` }), explore({ view: 'logs' }));
    for (const address of addresses) {
      const { page, clean, close } = await server.open(address, look);
      await page.locator('main').waitFor();
      await wait(1200);
      if (address.includes('view=logs') === false && address.includes('logs=')) {
        await page.locator('section[tabindex] button[aria-expanded=false]').first().click();
        await wait(300);
      }
      await clean();
      if (look.locale) assert.equal(await page.locator('h1').innerText(), '探索');
      await clean();
      await close();
    }
  });
}
