// Pictures of every page, to be looked at: node scripts/screenshots.mjs [FOLDER [URL]]. Without a URL it runs
// `modelwatch demo` (MODELWATCH_BINARY, or bin/modelwatch) and breaks its service. README=1 makes only the pictures that
// README shows; ONLY=overview,light makes only those whose name has all these parts.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { browse } from '../../test/browser/harness.mjs';
import { brokenDemo } from '../../test/browser/story.mjs';

const [folder = 'screenshots', given] = process.argv.slice(2);
const only = process.env.ONLY?.split(',') ?? [];
mkdirSync(folder, { recursive: true });

const shown = given ? { url: given.replace(/\/$/, ''), stop: async () => {} } : await brokenDemo();
const browser = await browse(shown.url);
const { services = [] } = await (await fetch(`${shown.url}/ai/v1/services`)).json();

const lines = '{job="ai_service"} | json';
const latency = 'model_inference_latency_seconds{endpoint="/predict"}';
const range = process.env.README ? '5m' : '15m';
const explore = (query) => `/explore?${new URLSearchParams({ range, ...query })}`;

const pages = [
  ['overview', `/?range=${range}`],
  ['explore', '/explore'],
  ['explore-metrics', explore({ metrics: latency })],
  ['explore-table', explore({ metrics: 'up', show: 'table' })],
  ['explore-logs', explore({ view: 'logs', logs: lines })],
  ['explore-both', explore({ metrics: latency, logs: `${lines} | level="error"` })],
  ['alerts', '/alerts'],
  ['alerts-rules', '/alerts/rules'],
  ['alerts-silences', '/alerts/silences'],
  ['alerts-history', '/alerts/history'],
  ['alerts-routing', `/alerts/routing?test=${encodeURIComponent('severity="critical"')}`],
  ['dashboards', '/dashboards'],
  ['targets', '/status'],
  ['status-discovery', '/status/discovery'],
  ['status-cardinality', '/status/cardinality'],
  ['status-storage', '/status/storage'],
  ['status-configuration', '/status/configuration'],
  ['status-about', '/status/about'],
];
for (const s of services.slice(0, 1)) {
  const at = `/services/${encodeURIComponent(s.service || '~')}?range=${range}`;
  const versions = s.models.map((m) => m.model_version);
  for (const tab of ['traffic', 'accuracy', 'data', 'baselines', 'inferences', 'resources'])
    pages.push([`service-${tab}`, `${at}&tab=${tab}`]);
  const drifted = s.layers
    .flatMap((l) => l.findings)
    .filter((f) => f.kind === 'drift' && f.feature)
    .map((f) => f.feature);
  if (drifted.length) {
    const feature = drifted.find((name) => !name.startsWith('@')) ?? drifted[0];
    pages.push(['service-feature', `${at}&tab=data&feature=${encodeURIComponent(feature)}`]);
  }
  pages.push(['service-other-rules', `${at}&tab=data&rule=evidently&rows=1000`]);
  if (versions.length > 1) pages.push(['service-compare', `${at}&tab=compare&with=${encodeURIComponent(versions[1])}`]);
}

const looks = [];
for (const [size, width, height] of [
  ['1280', 1280, 800],
  ['390', 390, 844],
])
  for (const scheme of ['light', 'dark'])
    for (const locale of ['en', 'zh-CN'])
      looks.push({ name: `${size}-${scheme}-${locale.slice(0, 2)}`, width, height, scheme, locale });

/** What README shows: three pages in one look, in the language of each README. */
const readme = { overview: 'overview', 'service-feature': 'drift', 'explore-both': 'explore' };

/** asWebp makes a picture small; the browser is the encoder. */
async function asWebp(png) {
  const { page, close } = await browser.open({ width: 200, height: 200 });
  const data = await page.evaluate(
    async (source) => {
      const image = new Image();
      image.src = source;
      await image.decode();
      const canvas = Object.assign(document.createElement('canvas'), { width: image.width, height: image.height });
      canvas.getContext('2d').drawImage(image, 0, 0);
      return canvas.toDataURL('image/webp', 0.9);
    },
    `data:image/png;base64,${png.toString('base64')}`,
  );
  await close();
  return Buffer.from(data.split(',')[1], 'base64');
}

let faults = 0;
for (const look of looks) {
  if (process.env.README && (look.width !== 1280 || look.scheme !== 'light')) continue;
  const tab = await browser.open(look);
  for (const page of pages) {
    const [name, path] = page;
    if (process.env.README && !readme[name]) continue;
    if (only.length && !only.every((part) => `${name}-${look.name}`.includes(part))) continue;
    await tab.go(path);
    await tab.settled();
    if (name === 'service-feature') {
      await tab.page.evaluate(() => {
        const feature = new URLSearchParams(location.search).get('feature');
        const title = [...document.querySelectorAll('h2')].find((h) => h.textContent === feature);
        title?.closest('section')?.scrollIntoView();
        scrollBy(0, -60);
      });
    }
    if (name === 'service-other-rules') {
      const panel = tab.page.getByRole('region', { name: /^(The rules of other tools|其他工具的规则)$/ });
      await panel.getByRole('button', { name: /^(Compare|比较)$/ }).click();
      await panel.getByRole('table').waitFor();
      await panel.evaluate((p) => {
        p.scrollIntoView();
        scrollBy(0, -60);
      });
    }
    const fullPage = look.width < 600;
    if (process.env.README) {
      const webp = await asWebp(await tab.page.screenshot());
      writeFileSync(join(folder, `${readme[name]}-${look.locale.slice(0, 2)}.webp`), webp);
    } else await tab.page.screenshot({ path: join(folder, `${name}-${look.name}.png`), fullPage });
  }
  for (const wrong of tab.wrong) {
    faults++;
    console.error(`${look.name}: ${wrong}`);
  }
  await tab.close();
}
await browser.close();
await shown.stop();
if (faults) process.exit(1);
