// Alerts, from the link in a mail to the silence, and whether the mail arrived.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { serve } from './asking.mjs';
import { until } from './harness.mjs';

let server;
const service = `browser_${Date.now()}`;
const name = 'BrowserTestAlert';

before(async () => {
  server = await serve();
  await fire();
});

after(async () => {
  await server?.stop();
});

async function fire() {
  const alert = (severity, more = {}) => ({
    labels: { alertname: name, service, severity, ...more },
    annotations: { summary: `Something is ${severity}` },
    generatorURL: `${server.url}/graph?g0.expr=up+%3D%3D+0&g0.tab=1`,
  });
  const answer = await fetch(`${server.url}/api/v2/alerts`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify([alert('critical', { instance: 'a' }), alert('info', { instance: 'b' })]),
  });
  assert.ok(answer.ok, await answer.text());
  // The group is there once the alert was routed.
  await until('the alerts to be routed', async () => {
    const groups = await first('/api/v2/alerts/groups');
    return groups.some((g) => g.alerts.some((a) => a.labels.service === service));
  });
}

const first = async (path) => (await fetch(`${server.url}${path}`)).json();

test('links of mails and of Prometheus lead to the right pages', async () => {
  const groups = await first('/api/v2/alerts/groups');
  const receiver = groups.find((g) => g.labels.service === service && g.alerts.some((a) => a.labels.severity === 'critical')).receiver.name;
  const { page, clean, close } = await server.open(`${server.url}/#/alerts?receiver=${encodeURIComponent(receiver)}`);
  await page.getByText(`Something is critical`).first().waitFor();
  assert.equal(new URL(page.url()).pathname, '/alerts');
  assert.equal(new URL(page.url()).searchParams.get('receiver'), receiver);
  const other = await server.open(`${server.url}/#/silences`);
  await other.page.getByRole('button', { name: 'New silence' }).waitFor();
  await other.close();
  await page.goto(`${server.url}/graph?g0.expr=up&g0.tab=1&g0.range_input=15m`);
  await page.getByRole('columnheader', { name: 'instance' }).waitFor();
  assert.equal(new URL(page.url()).searchParams.get('metrics'), 'up');
  await clean();
  await close();
});

test('an alert is silenced from its row, the silence says what it hides, and ends', async () => {
  const filter = encodeURIComponent(`service="${service}"`);
  const { page, clean, close } = await server.open(`${server.url}/alerts?filter=${filter}`);
  const row = page.getByRole('article').filter({ hasText: 'Something is critical' });
  await row.getByRole('button', { name: 'Silence' }).click();
  const form = page.getByRole('dialog');
  await form.getByText('It hides one of the alerts that are active now:').waitFor();
  await form.getByRole('button', { name: 'Create' }).click();
  await form.getByText('Others will ask why.').waitFor();
  await form.getByLabel('Your name').fill('Browser test');
  await form.getByLabel('Reason').fill('Testing silences');
  await clean();
  await form.getByRole('button', { name: 'Create' }).click();
  await form.waitFor({ state: 'detached' });
  await row.waitFor({ state: 'detached' });
  await page.getByText('1 silenced or inhibited alert is not shown.').waitFor();
  await page.getByLabel('Show silenced and inhibited').check();
  await row.getByRole('link', { name: 'Silenced' }).click();
  await page.getByText('Testing silences').waitFor();
  await page.getByText('hides 1').waitFor();
  await page.getByRole('button', { name: 'Expire' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Expire' }).click();
  await page.getByText('Expired', { exact: true }).waitFor();
  await page.goto(`${server.url}/alerts?filter=${filter}`);
  await row.waitFor();
  await clean();
  await close();
});

test('rules show their state, file, expression and graph', async () => {
  const { page, clean, close } = await server.open(`${server.url}/alerts/rules`);
  const rule = page.locator('main button[aria-expanded]').first();
  await rule.click();
  await page.getByText('Last evaluation').waitFor();
  await page.getByRole('link', { name: 'Open in Explore' }).waitFor();
  await page.getByRole('img', { name: /The expression over time/ }).waitFor();
  assert.ok(new URL(page.url()).searchParams.get('rule'));
  await page.getByLabel('Find a rule').fill('there is no such rule');
  await page.getByText('No rule matches.').waitFor();
  await clean();
  await close();
});

test('5,000 rules are listed without drawing them all', async (t) => {
  const { page, clean, close } = await server.open(`${server.url}/alerts`);
  const rules = Array.from({ length: 5000 }, (_, i) => ({
    type: 'alerting',
    name: `Rule${i}`,
    query: `up{i="${i}"} == 0`,
    health: 'ok',
    state: 'inactive',
    duration: 60,
    evaluationTime: 0.001,
    lastEvaluation: new Date().toISOString(),
    labels: {},
    annotations: {},
    alerts: [],
  }));
  const groups = Array.from({ length: 50 }, (_, i) => ({
    name: `group ${i}`,
    file: 'many.yml',
    interval: 60,
    evaluationTime: 0.1,
    lastEvaluation: new Date().toISOString(),
    rules: rules.slice(i * 100, i * 100 + 100),
  }));
  await page.route('**/api/v1/rules', (route) => route.fulfill({ json: { status: 'success', data: { groups } } }));
  await page.goto(`${server.url}/alerts/rules`);
  await page.getByText('All 5,000').waitFor();
  const drawn = await page.locator('main [data-index]').count();
  t.diagnostic(`${drawn} of 5,050 rows are drawn`);
  assert.ok(drawn < 100, `${drawn} rows are drawn`);
  await clean();
  await close();
});

test('the tester says where an alert would go, and a test notification is in the history', async () => {
  const { page, clean, close } = await server.open(
    `${server.url}/alerts/routing?test=${encodeURIComponent(`alertname="${name}", severity="critical"`)}`,
  );
  await page.getByText('It goes to').first().waitFor();
  await page.locator('[data-hit=true]').first().waitFor();
  await page.getByRole('button', { name: 'Send test' }).first().click();
  await page.getByRole('dialog').getByRole('button', { name: 'Send test' }).click();
  await page.getByText(/accepted/).first().waitFor();
  await page.getByRole('tab', { name: 'History' }).click();
  await page.getByText('test', { exact: true }).first().waitFor();
  await page.getByText('Arrived').first().waitFor();
  await clean();
  await close();
});

for (const look of [
  { name: 'Chinese, dark', scheme: 'dark', locale: 'zh-CN' },
  { name: 'narrow', width: 390, height: 844 },
]) {
  test(`accessible, and as wide as its window: ${look.name}`, async () => {
    const { page, clean, settled, close } = await server.open(`${server.url}/alerts?hidden=1`, look);
    for (const path of ['/alerts?hidden=1', '/alerts/rules', '/alerts/silences?expired=1', '/alerts/history', '/alerts/routing?test=a%3Db']) {
      await page.goto(server.url + path);
      await page.locator('h1').waitFor();
      await settled();
      if (path.includes('rules')) {
        await page.locator('main button[aria-expanded]').first().click();
        await page.locator('main button[aria-expanded=true]').first().waitFor();
      }
      if (look.locale) assert.equal(await page.locator('h1').innerText(), '告警');
      await clean();
    }
    await close();
  });
}

test('in the Chinese page, alerts of built-in rules are told in Chinese, and all others as they are written', async () => {
  const alert = (feature_name, annotations) => ({
    labels: { alertname: 'AIDataDrift', service, model: 'ranker', model_version: 'v1', feature_name, severity: 'warning' },
    annotations,
  });
  const answer = await fetch(`${server.url}/api/v2/alerts`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify([
      alert('age', { summary: `age of ranker v1 (${service}) drifted`, description: 'Its effect size is 0.61 (threshold 0.2).' }),
      alert('income', { summary: 'A rule of my own says: income drifted' }),
    ]),
  });
  assert.ok(answer.ok, await answer.text());
  await until('the alerts to be routed', async () => {
    const groups = await first('/api/v2/alerts/groups');
    return groups.some((g) => g.alerts.some((a) => a.labels.alertname === 'AIDataDrift' && a.labels.service === service));
  });
  const filter = encodeURIComponent(`service="${service}"`);
  const { page, clean, close } = await server.open(`${server.url}/alerts?filter=${filter}`, { locale: 'zh-CN' });
  await page.getByText(`ranker v1（${service}）的 age 发生漂移`).waitFor();
  await page.getByText('其效应量为 0.61（阈值 0.2）。').waitFor();
  await page.getByText('A rule of my own says: income drifted').waitFor();
  await clean();
  if (process.env.MODELWATCH_SHOTS) await page.screenshot({ path: `${process.env.MODELWATCH_SHOTS}/zh-alerts.png`, fullPage: true });
  // Of a long list only what is near the window is drawn.
  await page.goto(`${server.url}/alerts/rules`);
  await page.getByRole('textbox', { name: '查找规则' }).fill('AIProcessDown');
  await page.getByRole('button', { name: /AIProcessDown/ }).click();
  await page.getByText('{{service}} 没有进程在运行').waitFor();
  if (process.env.MODELWATCH_SHOTS) await page.screenshot({ path: `${process.env.MODELWATCH_SHOTS}/zh-rules.png`, fullPage: true });
  await clean();
  await close();
});
