// Every page with the real data of the demonstration: an AI service that breaks, its log, its inferences and its mail.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { browse } from './harness.mjs';
import { brokenDemo } from './story.mjs';

let shown;
let browser;

before(
  async () => {
    shown = await brokenDemo();
    browser = await browse(shown.url);
  },
  { timeout: 270_000 },
);

after(async () => {
  await browser?.close();
  await shown?.stop();
});

test('from the target to the cause: targets, query, alert, its mail, the error lines', async () => {
  const tab = await browser.open();
  const { page } = tab;
  await tab.go('/status');
  const target = page.getByRole('row').filter({ hasText: shown.service.replace(/^http:\/\//, '') });
  await target.getByText('Up', { exact: true }).waitFor();
  await tab.clean();

  await page.getByRole('link', { name: 'Explore' }).click();
  const query = page.getByRole('textbox', { name: 'Query A' });
  await query.click();
  await page.keyboard.type('model_inference_latency_seconds{endpoint="/predict"} ');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Enter');
  await page.getByRole('img', { name: /model_inference_latency_seconds/ }).waitFor();
  await tab.clean();

  await page.getByRole('link', { name: /^Alerts/ }).click();
  const alert = page.getByRole('article').filter({ hasText: 'HighInferenceLatency' });
  await alert.getByText('High inference latency for v1.0').first().waitFor();
  await tab.clean();
  await page.getByRole('tab', { name: 'History' }).click();
  const mail = page.getByRole('row').filter({ hasText: 'HighInferenceLatency' }).filter({ hasText: 'email-notifications' });
  await mail.first().getByText('Arrived').waitFor();
  await tab.clean();

  await page.getByRole('link', { name: 'Explore' }).click();
  await page.getByText('Both', { exact: true }).click();
  await page.getByRole('textbox', { name: 'Log query' }).click();
  await page.keyboard.type('{job="ai_service"} |~ "error" ');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Enter');
  const lines = page.getByRole('region', { name: 'Log lines' });
  await lines.getByText(/OutOfMemory: embedding matrix/).first().waitFor();
  await tab.clean();
  await tab.close();
});

test('data sources are built in, and shown as connected', async () => {
  const tab = await browser.open();
  await tab.go('/status/about');
  for (const name of ['Prometheus', 'Alertmanager', 'Loki']) {
    await tab.page.getByRole('row').filter({ hasText: name }).getByText('Connected', { exact: true }).waitFor();
  }
  await tab.close();
});

test('the overview says first what is wrong, and leads to the feature that drifted', async () => {
  const tab = await browser.open();
  const { page } = tab;
  await tab.go('/');
  await page.getByText('HighInferenceLatency').first().waitFor();
  const cell = page.getByRole('row').filter({ hasText: 'ai_service' }).getByRole('cell').nth(3);
  await cell.getByText('Degraded').waitFor();
  await cell.getByRole('link').click();
  await page.getByRole('button', { name: 'age', exact: true }).first().click();
  await page.getByText('Distribution: baseline and last window').waitFor();
  for (const said of ['Effect size', 'p-value', 'Threshold', 'Method']) await page.getByText(said, { exact: false }).first().waitFor();
  await tab.clean();
  await tab.close();
});

const places = {
  overview: '/',
  traffic: '/services/ai_service',
  accuracy: '/services/ai_service?tab=accuracy',
  data: '/services/ai_service?tab=data&feature=age',
  baselines: '/services/ai_service?tab=baselines',
  inferences: '/services/ai_service?tab=inferences',
  resources: '/services/ai_service?tab=resources',
  metrics: '/explore?metrics=model_inference_latency_seconds',
  logs: `/explore?view=logs&logs=${encodeURIComponent('{job="ai_service"} | json')}`,
  both: `/explore?metrics=up&logs=${encodeURIComponent('{job="ai_service"}')}`,
  alerts: '/alerts',
  rules: '/alerts/rules',
  silences: '/alerts/silences',
  history: '/alerts/history',
  routing: '/alerts/routing?test=severity%3Dcritical',
  targets: '/status',
  discovery: '/status/discovery',
  cardinality: '/status/cardinality',
  storage: '/status/storage',
  configuration: '/status/configuration',
  about: '/status/about',
};

const looks = {
  light: {},
  '简体中文, dark': { locale: 'zh-CN', scheme: 'dark' },
  '390 px': { width: 390, height: 844, scheme: 'dark' },
};

for (const [look, options] of Object.entries(looks)) {
  describe(look, () => {
    let tab;
    before(async () => {
      tab = await browser.open(options);
    });
    after(() => tab.close());
    for (const [name, path] of Object.entries(places)) {
      test(`${name}: no error, no foreign request, axe clean`, async () => {
        await tab.go(path);
        await tab.settled();
        assert.equal(await tab.page.locator('h1').count(), 1, 'one heading');
        const text = await tab.page.locator('main').innerText();
        assert.doesNotMatch(text, /NaN|\bundefined\b|\[object|Infinity/, 'what is not known is said in words');
        if (options.locale) assert.match(text, /\p{Script=Han}/u);
        await tab.clean();
      });
    }
  });
}
