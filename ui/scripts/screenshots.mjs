// Pictures of every page, to be looked at: node scripts/screenshots.mjs FOLDER [URL]. It needs a running modelwatch,
// best `modelwatch demo`, and a Chromium (CHROMIUM, or /usr/bin/chromium).
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const [folder = 'screenshots', url = 'http://127.0.0.1:9090'] = process.argv.slice(2);
const only = process.env.ONLY?.split(',');
mkdirSync(folder, { recursive: true });

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--no-first-run',
  ],
});

/** services asks which services and models there are, so that their pages are taken too. */
async function services() {
  try {
    const answer = await fetch(new URL('/ai/v1/services', url));
    const { services = [] } = await answer.json();
    return services;
  } catch {
    return [];
  }
}

const pages = [
  ['overview', '/'],
  ['explore', '/explore'],
  ['alerts', '/alerts'],
  ['targets', '/status'],
  ['status-discovery', '/status/discovery'],
  ['status-cardinality', '/status/cardinality'],
  ['status-storage', '/status/storage'],
  ['status-configuration', '/status/configuration'],
  ['status-about', '/status/about'],
];
for (const s of (await services()).slice(0, 1)) {
  const at = `/services/${encodeURIComponent(s.service || '~')}`;
  const versions = s.models.map((m) => m.model_version);
  pages.push(['service-traffic', at]);
  for (const tab of ['accuracy', 'data', 'baselines', 'inferences', 'resources'])
    pages.push([`service-${tab}`, `${at}?tab=${tab}`]);
  const drifted = s.layers.flatMap((l) => l.findings).find((f) => f.feature)?.feature;
  if (drifted) pages.push(['service-feature', `${at}?tab=data&feature=${encodeURIComponent(drifted)}`]);
  if (versions.length > 1) pages.push(['service-compare', `${at}?tab=compare&with=${encodeURIComponent(versions[1])}`]);
}

const looks = [
  { name: 'light', width: 1280, height: 800, scheme: 'light', locale: 'en' },
  { name: 'dark', width: 1280, height: 800, scheme: 'dark', locale: 'en' },
  { name: 'zh', width: 1280, height: 800, scheme: 'light', locale: 'zh-CN' },
  { name: 'narrow', width: 390, height: 844, scheme: 'dark', locale: 'en' },
];

for (const look of looks) {
  const context = await browser.newContext({
    viewport: { width: look.width, height: look.height },
    reducedMotion: 'reduce',
  });
  await context.addInitScript(
    ([scheme, locale]) => {
      localStorage.setItem('modelwatch.scheme', scheme);
      localStorage.setItem('modelwatch.locale', locale);
    },
    [look.scheme, look.locale],
  );
  const page = await context.newPage();
  page.on('console', (m) => m.type() === 'error' && console.log(`${look.name}: ${page.url()}: ${m.text()}`));
  page.on('pageerror', (e) => console.log(`${look.name}: ${page.url()}: ${e.stack}`));
  for (const [name, path] of pages) {
    if (only && !only.some((o) => `${name}-${look.name}`.includes(o))) continue;
    await page.goto(new URL(path, url).href);
    await page.waitForLoadState('networkidle', { timeout: 5000 }).catch(() => {});
    await page.waitForTimeout(400);
    await page.screenshot({ path: join(folder, `${name}-${look.name}.png`), fullPage: look.width < 600 });
  }
  await context.close();
}
await browser.close();
