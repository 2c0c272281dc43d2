// The pages with the data of a real modelwatch: two versions of a model that drift, a target that is down, an alert.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { browse, feed, freePort, start, until } from './harness.mjs';

const modelwatch = `inferences:
  window: 5s
  lateness: 1s
  baseline: {records: 600, minimum: 200}
`;

let server;
let sender;
let browser;

before(async () => {
  const dead = await freePort();
  server = await start({
    'modelwatch.yml': modelwatch,
    'prometheus.yml': `global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [rules.yml]
scrape_configs:
  - job_name: gone
    static_configs: [{targets: ['127.0.0.1:${dead}']}]
`,
    'rules.yml': `groups:
  - name: test
    rules:
      - alert: TargetDown
        expr: up == 0
        labels: {severity: critical}
        annotations: {summary: '{{ $labels.job }} does not answer'}
`,
  });
  sender = feed(server.url);
  const versions = async () => (await server.get('/ai/v1/services')).services.find((s) => s.service === 'shop')?.models ?? [];
  await until('baselines', async () => (await versions()).length === 2 && (await versions()).every((v) => v.baseline && v.window), 90);
  sender.drift();
  await until('drift to be found', async () => {
    const { services } = await server.get('/ai/v1/services');
    return services[0].layers.find((l) => l.layer === 'data').findings.some((f) => f.kind === 'drift' && f.feature === 'age');
  }, 90);
  browser = await browse(server.url);
}, { timeout: 240_000 });

after(async () => {
  await browser?.close();
  await sender?.stop();
  await server?.stop();
});

const looks = {
  'English, light': {},
  '简体中文, dark': { locale: 'zh-CN', scheme: 'dark' },
  '390 px, dark': { width: 390, height: 844, scheme: 'dark' },
};

for (const [look, options] of Object.entries(looks)) {
  test(`two versions side by side, and a page that is not there: ${look}`, async () => {
    const tab = await browser.open(options);
    for (const path of ['/services/shop?tab=compare&with=v1&version=v2', '/nothing-here']) {
      await tab.go(path);
      await tab.settled();
      assert.equal(await tab.page.locator('h1').count(), 1, 'one heading');
      await tab.clean();
    }
    await tab.close();
  });
}

test('what the server says is said in the language of the page, in words and not in ids', async () => {
  for (const [options, layers] of [
    [{}, ['Service', 'Model', 'Data']],
    [{ locale: 'zh-CN' }, ['服务', '模型', '数据']],
  ]) {
    const tab = await browser.open(options);
    await tab.go('/services/shop?tab=data&version=v1&feature=age');
    const said = [];
    for (const name of layers) {
      const reasons = tab.page.getByRole('region', { name, exact: true }).first().locator('[title]');
      await reasons.first().waitFor();
      for (const r of await reasons.all()) said.push(...(await r.getAttribute('title')).split('\n'));
    }
    await tab.page.getByRole('table', { name: options.locale ? '最近窗口的发现' : 'What was found in the last window' }).waitFor();
    said.push(...(await tab.page.getByRole('row').allInnerTexts()));
    assert.ok(said.length > 10, said.join('\n'));
    for (const text of said) {
      assert.doesNotMatch(text, /\b(out_of_range|error_ratio|latency_p\d+|anderson_darling|chi_square|missing_ratio)\b/);
      assert.doesNotMatch(text, /\d %/);
      if (options.locale) assert.doesNotMatch(text, /\b(the|of|is|are|in|baseline|records|requests)\b/);
    }
    await tab.close();
  }
});

const compareAnswer = (r) => r.url().includes('/drift/compare') && r.request().method() === 'GET';

test("raw inferences are judged by another tool's rule beside ours, when asked to", async () => {
  const tab = await browser.open();
  const asked = [];
  tab.page.on('request', (r) => {
    if (r.url().includes('/drift/compare')) asked.push(r.url());
  });
  await tab.go('/services/shop?tab=data&range=15m&version=v1');
  await tab.page.getByRole('button', { name: 'Compare with another tool' }).click();
  const panel = tab.page.getByRole('region', { name: 'The rules of other tools' });
  const compare = panel.getByRole('button', { name: 'Compare', exact: true });
  await compare.waitFor();
  await tab.clean();
  await panel.getByText('whylogs', { exact: true }).click();
  await panel.getByRole('combobox', { name: 'What is judged' }).click();
  await tab.page.getByRole('option', { name: 'The last 1 hour' }).click();
  await tab.page.waitForURL((u) => u.searchParams.get('rule') === 'whylogs' && u.searchParams.get('judged') === '1h');
  // The choices are in the address, and nothing is read before somebody asks.
  await tab.page.reload();
  await compare.waitFor();
  await tab.settled();
  assert.deepEqual(asked, []);
  await compare.focus();
  const [answer] = await Promise.all([tab.page.waitForResponse(compareAnswer), tab.page.keyboard.press('Enter')]);
  const { results, baseline, current } = await answer.json();
  assert.ok(baseline.baseline_id, 'against the baseline in use');
  assert.ok(current.compared > baseline.compared && baseline.compared >= 200);
  // What is shown is what was answered: both verdicts, figures, methods and sizes of every feature.
  const of = (feature, preset) => results.find((r) => r.feature === feature && r.preset === preset);
  const words = { none: 'No drift', possible: 'Possible drift', drift: 'Drift', unknown: 'Unknown' };
  const features = [...new Set(results.map((r) => r.feature))];
  assert.ok(features.length >= 4, features.join());
  const rows = panel.getByRole('table', { name: 'Compare' }).getByRole('row');
  await rows.nth(features.length).waitFor();
  let differ = 0;
  for (const feature of features) {
    const row = rows.filter({ has: tab.page.getByText(feature, { exact: true }) });
    const [ours, theirs] = [of(feature, 'modelwatch'), of(feature, 'whylogs')];
    const cells = await row.getByRole('cell').allInnerTexts();
    assert.ok(cells[1].startsWith(words[ours.verdict]), cells[1]);
    assert.ok(cells[2].startsWith(words[theirs.verdict]), cells[2]);
    assert.match(cells[1], /score .*, drift from 0\.03 · p-value .*, drift up to 0\.000/);
    assert.match(cells[2], /^.*\n+statistic .* · p-value .*, drift up to 0\.05 · (Kolmogorov-Smirnov|Chi-square)$/);
    assert.equal(cells[3].replaceAll(',', ''), `${theirs.current_rows} / ${theirs.baseline_rows}`);
    const apart = (ours.verdict === 'drift') !== (theirs.verdict === 'drift');
    assert.equal(cells[0].includes('They disagree'), apart, feature);
    differ += Number(apart);
  }
  await panel.getByText(differ ? `They disagree on ${differ} of ${features.length} features.` : `They agree on all ${features.length} features.`).waitFor();
  await panel.getByText('not calibrated to the sample size').waitFor();
  await tab.clean();
  await tab.close();
});

test('a comparison is cancelled, and one that cannot be made says why and what to do', async () => {
  const tab = await browser.open();
  await tab.go('/services/shop?tab=data&range=15m&version=v1&rule=nannyml&against=before&judged=7d');
  const panel = tab.page.getByRole('region', { name: 'The rules of other tools' });
  const compare = panel.getByRole('button', { name: 'Compare', exact: true });
  // The week before has nothing.
  await compare.click();
  await panel.getByRole('alert').getByText('no raw inferences of shop/ranker@v1').waitFor();
  tab.wrong.splice(0, tab.wrong.length, ...tab.wrong.filter((w) => !w.includes('404')));
  await tab.clean();

  const failed = tab.page.waitForEvent('requestfailed', (r) => r.url().includes('/drift/compare'));
  let held;
  await tab.page.route('**/drift/compare?*', (r) => {
    held = r;
  });
  await compare.click();
  await panel.getByText('Reading raw inferences').waitFor();
  const cancel = panel.getByRole('button', { name: 'Cancel' });
  assert.ok(await cancel.evaluate((b) => b === document.activeElement), 'the button that was clicked now cancels');
  await tab.clean();
  await tab.page.keyboard.press('Enter');
  await failed;
  await panel.getByText('Cancelled.').waitFor();
  await tab.page.unroute('**/drift/compare?*');
  await held.abort().catch(() => {}); // It is gone.

  // Too much: a sample of what fits is one click away, and stays in the address.
  const tooMuch = 'the current data has 900000 rows: row 1 is beyond 500000 values, the most that is compared: take a shorter span, leave features out by exclude, or take a sample by rows=321';
  await tab.page.route('**/drift/compare?*', (r) =>
    r.request().url().includes('rows=') ? r.fallback() : r.fulfill({ status: 413, json: { error: tooMuch } }),
  );
  await tab.go('/services/shop?tab=data&range=15m&version=v1&rule=nannyml');
  await compare.click();
  const [answer] = await Promise.all([
    tab.page.waitForResponse((r) => compareAnswer(r) && r.url().includes('rows=321')),
    panel.getByRole('button', { name: 'Take a sample of 321 rows' }).click(),
  ]);
  assert.equal(answer.status(), 200);
  await panel.getByText('were taken evenly').first().waitFor();
  await tab.page.waitForURL(/rows=321/);
  await panel.getByRole('button', { name: 'Take all rows' }).click();
  await tab.page.waitForURL((u) => !u.searchParams.has('rows'));
  tab.wrong.splice(0, tab.wrong.length, ...tab.wrong.filter((w) => !w.includes('413')));
  await tab.clean();
  await tab.close();
});

for (const [look, options] of Object.entries(looks)) {
  test(`the rules of other tools: ${look}`, async () => {
    const tab = await browser.open(options);
    await tab.go('/services/shop?tab=data&range=15m&version=v1&rule=evidently');
    await tab.page.getByRole('button', { name: options.locale ? '比较' : 'Compare', exact: true }).click();
    await tab.page.getByRole('table', { name: options.locale ? '比较' : 'Compare' }).getByText('income').waitFor();
    await tab.clean();
    await tab.close();
  });
}

test('the overview says what is wrong and why, and leads there', async () => {
  const tab = await browser.open();
  await tab.go('/');
  await tab.page.getByText('TargetDown').first().waitFor();
  await tab.page.getByText('gone does not answer').first().waitFor();
  const row = tab.page.getByRole('row').filter({ hasText: 'shop' });
  const data = row.getByRole('cell').nth(3);
  await data.getByText('Degraded').waitFor();
  assert.match(await data.innerText(), /drifted|missing|empty/);
  await data.getByRole('link').click();
  await tab.page.waitForURL(/\/services\/shop\?.*tab=data/);
  await tab.page.getByRole('button', { name: 'age', exact: true }).first().click();
  await tab.page.getByText('Distribution: baseline and last window').waitFor();
  assert.match(tab.page.url(), /feature=age/);
  await tab.clean();
  await tab.close();
});

test('a target that is down says what to try', async () => {
  const tab = await browser.open();
  await tab.go('/status');
  await tab.page.getByText('connection refused').waitFor();
  await tab.page.getByText('Nothing listens at this address').waitFor();
  await tab.close();
});

test('the keyboard leads everywhere', async () => {
  const tab = await browser.open();
  await tab.go('/');
  await tab.page.getByRole('heading', { level: 1 }).waitFor();
  await tab.page.keyboard.press('g');
  await tab.page.keyboard.press('s');
  await tab.page.waitForURL(/\/status/);
  await tab.page.keyboard.press('?');
  await tab.page.getByRole('dialog').getByText('Keyboard shortcuts').waitFor();
  await tab.clean();
  await tab.page.keyboard.press('Escape');
  await tab.page.getByRole('dialog').waitFor({ state: 'detached' });
  await tab.page.keyboard.press('Control+k');
  await tab.page.getByRole('combobox').fill('overview');
  await tab.clean();
  await tab.page.keyboard.press('Enter');
  await tab.page.waitForURL((u) => u.pathname === '/');
  await tab.page.keyboard.press('Control+k');
  await tab.page.getByRole('combobox').fill('language 简体');
  await tab.page.keyboard.press('Enter');
  await tab.page.getByRole('heading', { name: '总览' }).waitFor();
  assert.equal(await tab.page.evaluate(() => document.documentElement.lang), 'zh-CN');
  await tab.close();
});

test('every cell of the drift map is reached by keyboard, and all of them are one stop of the Tab key', async () => {
  const tab = await browser.open();
  await tab.go('/services/shop?tab=data&range=15m&version=v1');
  const map = tab.page.getByRole('region', { name: 'Drift of each feature over time' }).last();
  const rows = map.getByRole('button');
  await rows.nth(1).waitFor();
  const name = await rows.nth(1).innerText();
  await map.focus();
  await tab.page.keyboard.press('ArrowDown');
  await tab.page.keyboard.press('ArrowDown');
  assert.equal(await tab.page.evaluate(() => document.activeElement.textContent), name);
  const said = map.getByRole('status');
  const newest = await said.innerText();
  assert.ok(newest.includes(name), newest);
  await tab.page.keyboard.press('ArrowLeft');
  assert.notEqual(await said.innerText(), newest, 'the cell before is of another time');
  await tab.clean();
  await tab.page.keyboard.press('Enter');
  await tab.page.waitForURL((u) => u.searchParams.get('feature') === name);
  await tab.page.getByText('Distribution: baseline and last window').waitFor();
  await tab.page.keyboard.press('Tab');
  assert.equal(await map.locator(':focus').count(), 0);
  await tab.close();
});

test('the URL holds the time range, and links keep it', async () => {
  const tab = await browser.open();
  await tab.go('/?range=6h');
  await tab.page.getByRole('button', { name: 'Time range: Last 6 hours' }).waitFor();
  await tab.page.getByRole('link', { name: 'Targets & status' }).click();
  await tab.page.waitForURL(/\/status\?range=6h/);
  await tab.page.getByRole('button', { name: /Time range/ }).click();
  await tab.page.getByRole('button', { name: 'Last 15 minutes' }).click();
  await tab.page.waitForURL(/range=15m/);
  await tab.close();
});

test('a refresh asks only for the new end of a range', async () => {
  const tab = await browser.open();
  const asked = [];
  tab.page.on('request', (r) => {
    if (r.url().includes('/query_range')) asked.push(new URLSearchParams(r.postData() ?? ''));
  });
  await tab.go('/services/shop?range=1h&refresh=off');
  await tab.settled();
  const first = asked.splice(0);
  const keys = first.map((p) => p.toString());
  assert.equal(new Set(keys).size, keys.length, 'no range query is sent twice');
  await until('the next step', async () => {
    await tab.page.keyboard.press('r');
    return asked.length > 0;
  }, 40);
  for (const p of asked) assert.ok(Number(p.get('end')) - Number(p.get('start')) < 600, `asked for ${p}`);
  await tab.close();
});

test('a baseline is confirmed, and one is made of a range', async () => {
  const tab = await browser.open();
  await tab.go('/services/shop?tab=baselines&version=v1');
  await tab.page.getByText('Nobody has confirmed it yet').first().waitFor();
  await tab.page.getByRole('button', { name: 'Confirm' }).first().click();
  await tab.page.getByText('Nobody has confirmed it yet').waitFor({ state: 'detached' });
  await tab.page.getByRole('button', { name: 'New baseline' }).click();
  await tab.page.getByLabel('Note').fill('made by a test');
  await tab.clean();
  await tab.page.getByRole('button', { name: 'Make baseline' }).click();
  await tab.page.getByText('time range: made by a test').waitFor({ timeout: 30_000 });
  await tab.close();
});

test('a baseline is made of a CSV and of a Parquet file; a file that cannot be read says why and changes nothing', async () => {
  const tab = await browser.open();
  await tab.go('/services/shop?tab=baselines&version=v2');
  const table = tab.page.getByRole('table', { name: 'Baselines' });
  const csv = `age,income,answer\n${Array.from({ length: 300 }, (_, i) => `${20 + (i % 40)},${1000 + i},${i % 2 ? 'buy' : 'skip'}`).join('\n')}\n`;
  const parquet = readFileSync(new URL('../../store/inferences/parquet/testdata/pandas.parquet', import.meta.url));
  const give = async (name, buffer) => {
    await tab.page.getByRole('button', { name: 'New baseline' }).click();
    const form = tab.page.getByRole('dialog');
    await form.getByText('From a file').click();
    await form.locator('input[type=file]').setInputFiles({ name, mimeType: '', buffer });
    await form.getByLabel('Note').fill(name);
    return form;
  };
  for (const [name, buffer, prediction] of [
    ['training.csv', Buffer.from(csv), 'answer'],
    ['training.parquet', parquet, 'prediction'],
  ]) {
    const form = await give(name, buffer);
    await form.getByLabel('Column of the prediction').fill(prediction);
    await tab.clean();
    await form.getByRole('button', { name: 'Make baseline' }).click();
    await table.getByText(`file: ${name}`).waitFor();
  }
  const before = await table.getByRole('row').count();
  for (const [name, buffer] of [
    ['broken.csv', Buffer.from('age,income\n1,2\n3,4,5\n')],
    ['broken.parquet', parquet.subarray(0, parquet.length / 2)],
  ]) {
    const form = await give(name, buffer);
    await form.getByRole('button', { name: 'Make baseline' }).click();
    const said = form.getByRole('alert');
    await said.waitFor();
    assert.match(await said.innerText(), /line 3|Parquet/i);
    // The console names each answer that refuses; there is nothing else to find wrong.
    tab.wrong.splice(0, tab.wrong.length, ...tab.wrong.filter((w) => !w.includes('400')));
    await tab.clean();
    await form.getByRole('button', { name: 'Cancel' }).click();
    await form.waitFor({ state: 'detached' });
  }
  const form = await give('training.xlsx', Buffer.from('PK'));
  await form.getByText('The name must end with').waitFor();
  assert.ok(await form.getByRole('button', { name: 'Make baseline' }).isDisabled());
  await tab.page.keyboard.press('Escape');
  assert.equal(await table.getByRole('row').count(), before);
  await tab.close();
});

test('a file on its way is cancelled by its button alone, and a baseline is exported and imported', async () => {
  const tab = await browser.open();
  await tab.go('/services/shop?tab=baselines&version=v2');
  const table = tab.page.getByRole('table', { name: 'Baselines' });
  await table.getByRole('row').nth(1).waitFor();
  const open = async () => {
    await tab.page.getByRole('button', { name: 'New baseline' }).click();
    const form = tab.page.getByRole('dialog');
    await form.getByText('From a file').click();
    return form;
  };
  const before = (await server.get('/ai/v1/baselines?model=ranker&version=v2')).baselines.length;
  let held;
  await tab.page.route('**/ai/v1/baselines?*activate*', (r) => {
    held = r;
  });
  let form = await open();
  await form.locator('input[type=file]').setInputFiles({ name: 'a.csv', mimeType: '', buffer: Buffer.from('age\n1\n') });
  await form.getByRole('button', { name: 'Make baseline' }).click();
  await form.getByText('Sending: 0%').waitFor();
  await tab.clean();
  // Neither a click beside the form nor Escape ends it.
  await tab.page.mouse.click(5, 400);
  await tab.page.keyboard.press('Escape');
  await form.getByText('Sending: 0%').waitFor();
  await form.getByRole('button', { name: 'Cancel' }).click();
  await form.getByText('Cancelled.').waitFor();
  await held.abort().catch(() => {}); // It is gone.
  await tab.page.unroute('**/ai/v1/baselines?*activate*');
  await tab.page.keyboard.press('Escape');
  await form.waitFor({ state: 'detached' });
  assert.equal((await server.get('/ai/v1/baselines?model=ranker&version=v2')).baselines.length, before);

  const [file] = await Promise.all([tab.page.waitForEvent('download'), table.getByRole('link', { name: 'Export' }).last().click()]);
  assert.equal(file.suggestedFilename(), 'ranker-v2-baseline-1.json');
  form = await open();
  await form.locator('input[type=file]').setInputFiles({ name: file.suggestedFilename(), mimeType: '', buffer: readFileSync(await file.path()) });
  await form.getByText('brings its own note').waitFor();
  assert.equal(await form.getByLabel('Note').count(), 0);
  await tab.clean();
  await form.getByRole('button', { name: 'Make baseline' }).click();
  await form.waitFor({ state: 'detached' });
  await until('the baseline that was imported', async () => {
    const { baselines } = await server.get('/ai/v1/baselines?model=ranker&version=v2');
    return baselines.length === before + 1 && baselines.some((b) => b.active && b.confirmed && b.source === 'auto');
  });
  await tab.clean();
  await tab.close();
});

test('a service that has only just come says what its charts wait for, and offers a range that fits', async () => {
  const record = { service: 'young', model: 'm', model_version: 'v1', timestamp: new Date().toISOString(), duration_seconds: 0.1, status_code: 200, features: { a: 1 }, prediction: 'x' };
  const answer = await fetch(`${server.url}/ai/v1/inferences`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-ndjson' },
    body: JSON.stringify(record),
  });
  assert.equal(answer.status, 202);
  await until('the service', async () => (await server.get('/ai/v1/services')).services.some((s) => s.service === 'young'));
  const tab = await browser.open();
  // As before the second scrape, however long this test takes.
  await tab.page.route('**/api/v1/query_range', (r) => r.fulfill({ json: { status: 'success', data: { resultType: 'matrix', result: [] } } }));
  await tab.page.clock.setFixedTime(Date.parse(record.timestamp) + 20_000);
  await tab.go('/services/young');
  await tab.page.getByText('Their course is drawn after two readings').first().waitFor();
  assert.equal(await tab.page.getByText('No data in this time range').count(), 0);
  await tab.page.getByRole('button', { name: 'Show the last 5 minutes' }).click();
  await tab.page.waitForURL(/range=5m/);
  await tab.page.getByText('most of this time range is before it').waitFor({ state: 'detached' });
  await tab.close();
});

test('old data stays shown while reading it again fails', async () => {
  const tab = await browser.open();
  await tab.go('/?refresh=1s');
  await tab.page.getByRole('row').filter({ hasText: 'shop' }).waitFor();
  await tab.page.route('**/ai/v1/services', (r) => r.fulfill({ status: 503, contentType: 'application/json', body: '{"error":"the disk is full"}' }));
  await tab.page.getByText('the disk is full').waitFor();
  assert.ok(await tab.page.getByRole('row').filter({ hasText: 'shop' }).isVisible());
  await tab.page.unroute('**/ai/v1/services');
  await tab.page.getByText('the disk is full').waitFor({ state: 'detached' });
  await tab.close();
});

test('while the server does not answer, what is drawn stays, it is said once, and the page recovers by itself', async () => {
  const tab = await browser.open();
  await tab.go('/services/shop?range=15m&refresh=1s');
  await tab.settled();
  const charts = tab.page.locator('figure [role=img]');
  await charts.nth(1).waitFor();
  const gone = tab.page.getByText('modelwatch does not answer');
  const calls = /\/(api|ai|loki)\//;
  await tab.page.route(calls, (r) => r.abort());
  await gone.waitFor();
  // Longer than a step of the range: the queries are then new ones, of which none was answered.
  const refused = [];
  tab.page.on('requestfailed', (r) => refused.push(r.url()));
  await until('courses to be asked for again', () => refused.filter((u) => u.includes('query_range')).length > 6);
  assert.equal(await gone.count(), 1);
  assert.equal(await tab.page.getByText('This could not be read').count(), 0);
  assert.ok((await charts.count()) >= 2);
  await tab.page.unroute(calls);
  await gone.waitFor({ state: 'detached' });
  // Of a range whose next step is far away, too.
  await tab.page.route('**/query_range', (r) => r.abort());
  await tab.go('/services/shop?range=30d&refresh=1s');
  await tab.page.getByText('This could not be read').first().waitFor();
  await tab.page.unroute('**/query_range');
  await charts.nth(1).waitFor();
  await gone.waitFor({ state: 'detached' });
  await tab.close();
});

test('a thousand services are listed without drawing them all', async () => {
  const tab = await browser.open();
  const { services, ...rest } = await server.get('/ai/v1/services');
  const many = Array.from({ length: 1000 }, (_, i) => ({ ...services[0], service: `service-${String(i).padStart(4, '0')}` }));
  await tab.page.route('**/ai/v1/services', (r) => r.fulfill({ json: { ...rest, services: many } }));
  await tab.go('/');
  await tab.page.getByText('service-0000', { exact: true }).waitFor();
  assert.ok((await tab.page.getByRole('row').count()) < 80);
  await tab.page.evaluate(() => scrollTo(0, document.body.scrollHeight));
  await tab.page.getByText('service-0999', { exact: true }).waitFor();
  assert.ok((await tab.page.getByRole('row').count()) < 80);
  await tab.page.getByLabel('Filter services').fill('0500');
  await tab.page.getByText('service-0500', { exact: true }).waitFor();
  assert.equal(await tab.page.getByRole('row').count(), 2);
  await tab.clean();
  await tab.close();
});

test('before anything came, the overview says how to begin', async () => {
  const fresh = await start();
  const other = await browse(fresh.url);
  try {
    for (const options of Object.values(looks)) {
      const tab = await other.open(options);
      await tab.go('/');
      await tab.page.getByText('/ai/v1/inferences').first().waitFor();
      await tab.settled();
      await tab.clean();
      await tab.close();
    }
  } finally {
    await other.close();
    await fresh.stop();
  }
});

test('a server that is gone is said to be gone: nothing stays green, and a page that was not loaded yet says why', async () => {
  const gone = await start();
  const other = await browse(gone.url);
  try {
    const tab = await other.open();
    await tab.go('/?refresh=1s');
    await tab.page.getByText('No alert fires.').waitFor();
    await gone.stop();
    await tab.page.getByText('Whether alerts fire is not known now.').waitFor();
    await tab.page.getByText('modelwatch does not answer').first().waitFor();
    await tab.page.getByRole('link', { name: 'Alerts' }).click();
    await tab.page.getByRole('heading', { name: 'This page could not be loaded' }).waitFor();
    assert.equal(await tab.page.getByText('was updated').count(), 0);
  } finally {
    await other.close();
    await gone.stop();
  }
});

test('names of hundreds of letters stay within the page', async () => {
  const service = `s-${'x'.repeat(200)}`;
  const record = { service, model: `m-${'y'.repeat(100)}`, model_version: 'v'.repeat(60), timestamp: new Date().toISOString(), duration_seconds: 0.1, status_code: 200, features: { a: 1 }, prediction: '<b>x</b>' };
  const answer = await fetch(`${server.url}/ai/v1/inferences`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-ndjson' },
    body: JSON.stringify(record),
  });
  assert.equal(answer.status, 202);
  await until('the service', async () => (await server.get('/ai/v1/services')).services.some((s) => s.service === service));
  for (const options of [{}, { width: 390, height: 844 }]) {
    const tab = await browser.open(options);
    for (const path of ['/', `/services/${service}`, `/services/${service}?tab=inferences`]) {
      await tab.go(path);
      await tab.settled();
      await tab.clean();
    }
    await tab.close();
  }
});
