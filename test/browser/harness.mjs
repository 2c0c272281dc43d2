// What the browser tests share: the real binary with real data, and a browser that notices what must not happen.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const require = createRequire(join(root, 'ui/package.json'));
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

export const binary = resolve(root, process.env.MODELWATCH_BINARY ?? 'bin/modelwatch');

/** freePort is one that nobody listens on now. */
export function freePort() {
  return new Promise((done, fail) => {
    const s = createServer();
    s.on('error', fail);
    s.listen(0, '127.0.0.1', () => {
      const { port } = s.address();
      s.close(() => done(port));
    });
  });
}

/** until waits for a condition and gives what it returned. */
export async function until(what, condition, seconds = 60) {
  const end = Date.now() + seconds * 1000;
  let last;
  while (Date.now() < end) {
    try {
      const value = await condition();
      if (value) return value;
    } catch (err) {
      last = err;
    }
    await sleep(250);
  }
  throw new Error(`waited ${seconds} s for ${what}${last ? `; last: ${last.message}` : ''}`);
}

/** start runs modelwatch with short windows. files are configuration files by name. */
export async function start(files = {}, more = []) {
  assert.ok(existsSync(binary), `there is no ${binary}: run "make build", or set MODELWATCH_BINARY`);
  const dir = mkdtempSync(join(tmpdir(), 'modelwatch-browser-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
  const has = (flag, name) => (files[name] ? [`--${flag}=${join(dir, name)}`] : []);
  const child = spawn(
    binary,
    [
      'serve',
      `--storage.path=${join(dir, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      ...has('config.file', 'modelwatch.yml'),
      ...has('prometheus.config', 'prometheus.yml'),
      ...has('alertmanager.config', 'alertmanager.yml'),
      ...more,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let log = '';
  child.stderr.on('data', (d) => {
    log = (log + d).slice(-20_000);
  });
  const ended = new Promise((done) => child.on('exit', done));
  try {
    await until('modelwatch to be ready', async () => {
      if (child.exitCode !== null) throw new Error(`modelwatch ended: ${log}`);
      return (await fetch(`${url}/-/ready`)).ok;
    });
  } catch (err) {
    child.kill('SIGKILL');
    throw err;
  }
  return {
    url,
    get: async (path) => (await fetch(url + path)).json(),
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** demo runs the demonstration, with more requests and shorter windows than people get, and breaks the service on demand. */
export async function demo() {
  assert.ok(existsSync(binary), `there is no ${binary}: run "make build", or set MODELWATCH_BINARY`);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(binary, ['demo', '--rate=20', '--window=5s', `--web.listen-address=127.0.0.1:${port}`], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (d) => {
      said += d;
    });
  const ended = new Promise((done) => child.on('exit', done));
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
  };
  const get = async (path) => (await fetch(url + path)).json();
  try {
    const service = await until('the AI service', () => {
      if (child.exitCode !== null) throw new Error('the demonstration ended');
      return /The AI service at (http:\S+) is up/.exec(said)?.[1];
    });
    return {
      url,
      service,
      get,
      stop,
      told: () => said,
      fault: async (kind, on = true) => {
        const answer = await fetch(`${service}/fault`, { method: 'POST', body: JSON.stringify({ kind, on }) });
        assert.ok(answer.ok, await answer.text());
      },
      version: async (name) =>
        (await get('/ai/v1/services')).services[0]?.models.find((m) => m.model_version === name),
      firing: async (name) => (await get('/api/v2/alerts?active=true')).some((a) => a.labels.alertname === name),
    };
  } catch (err) {
    child.kill('SIGKILL');
    throw new Error(`${err.message}\n${said}`);
  }
}

/** normal draws from a normal distribution. */
function normal(mean, deviation) {
  const u = 1 - Math.random();
  return mean + deviation * Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * Math.random());
}

/**
 * feed sends inferences, labels and log lines of two versions of a model each half second, until stopped. After drift()
 * ages are higher, incomes are missing, and the newer version fails now and then.
 */
export function feed(url) {
  let on = true;
  let drifted = false;
  let n = 0;
  const post = async (path, body, type) => {
    const answer = await fetch(url + path, { method: 'POST', headers: { 'Content-Type': type }, body });
    assert.ok(answer.ok, `POST ${path}: ${answer.status} ${await answer.text()}`);
  };
  const one = (version) => {
    n++;
    const age = Math.max(18, Math.round(normal(drifted ? 50 : 34, 8)));
    const p = 1 / (1 + Math.exp(-(age - 40) / 6));
    const failed = drifted && version === 'v2' && Math.random() < 0.2;
    return {
      service: 'shop',
      model: 'ranker',
      model_version: version,
      endpoint: '/predict',
      request_id: `r${n}`,
      timestamp: new Date().toISOString(),
      duration_seconds: Math.exp(normal(-2.2, 0.4)),
      status_code: failed ? 503 : 200,
      features: { age, income: drifted && Math.random() < 0.4 ? null : Math.exp(normal(10, 0.5)), country: ['DE', 'FR', 'CN'][n % 3] },
      ...(failed
        ? { error: 'CUDA out of memory' }
        : { prediction: p > 0.5 ? 'buy' : 'skip', probabilities: { buy: p, skip: 1 - p } }),
    };
  };
  const done = (async () => {
    while (on) {
      const list = Array.from({ length: 60 }, (_, i) => one(i % 3 ? 'v1' : 'v2'));
      const lines = (x) => x.map((r) => JSON.stringify(r)).join('\n');
      await post('/ai/v1/inferences', lines(list), 'application/x-ndjson');
      const labels = list
        .filter((r) => r.probabilities)
        .map((r) => ({ request_id: r.request_id, service: r.service, label: Math.random() < r.probabilities.buy ? 'buy' : 'skip' }));
      await post('/ai/v1/labels', lines(labels), 'application/x-ndjson');
      const said = drifted ? 'ERROR CUDA out of memory: tried to allocate 2.00 GiB' : 'INFO model loaded';
      await post(
        '/loki/api/v1/push',
        JSON.stringify({ streams: [{ stream: { service: 'shop', job: 'ai' }, values: [[`${Date.now()}000000`, said]] }] }),
        'application/json',
      );
      await sleep(500);
    }
  })();
  return {
    drift: () => {
      drifted = true;
    },
    stop: async () => {
      on = false;
      await done;
    },
  };
}

/** browse launches the browser; open gives pages of one look. */
export async function browse(url) {
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
  assert.ok(existsSync(executablePath), `there is no ${executablePath}: install chromium, or name one by CHROMIUM`);
  const browser = await chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-dev-shm-usage',
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-first-run',
    ],
  });
  return {
    close: () => browser.close(),
    open: async ({ scheme = 'light', locale = 'en', width = 1280, height = 800 } = {}) => {
      const context = await browser.newContext({ viewport: { width, height }, reducedMotion: 'reduce' });
      await context.addInitScript(
        ([s, l]) => {
          localStorage.setItem('modelwatch.scheme', s);
          localStorage.setItem('modelwatch.locale', l);
        },
        [scheme, locale],
      );
      const page = await context.newPage();
      const wrong = [];
      page.on('console', (m) => {
        if (m.type() === 'error') wrong.push(`console: ${m.text()} at ${page.url()} ${m.location().url}`);
      });
      page.on('pageerror', (e) => wrong.push(`error: ${e.stack} at ${page.url()}`));
      page.on('request', (r) => {
        const at = new URL(r.url());
        if (at.protocol.startsWith('http') && at.origin !== new URL(url).origin) wrong.push(`foreign request: ${r.url()}`);
      });
      return {
        page,
        wrong,
        go: (path) => page.goto(url + path),
        /** settled waits until nothing is asked any more and no skeleton is left. */
        settled: async () => {
          await page.waitForLoadState('networkidle', { timeout: 10_000 }).catch(() => {});
          await page.waitForFunction(() => !document.querySelector('.mantine-Skeleton-root, [aria-busy=true]'), null, { timeout: 10_000 });
        },
        /** clean fails on console errors, foreign requests, sideways scrolling and what axe finds. */
        clean: async () => {
          assert.deepEqual(wrong, []);
          const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          assert.ok(over <= 0, `${page.url()} is ${over} px wider than its window`);
          // Evaluated, not added as a script: the page's policy forbids the latter.
          await page.evaluate(axe);
          const found = await page.evaluate(async () => {
            const { violations } = await globalThis.axe.run(document, {
              runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'],
            });
            return violations.map((v) => `${v.id}: ${v.nodes.slice(0, 4).map((n) => `${n.html.slice(0, 160)} ${n.any.map((a) => a.message).join(' ')}`).join(' | ')}`);
          });
          assert.deepEqual(found, [], page.url());
        },
        close: () => context.close(),
      };
    },
  };
}
