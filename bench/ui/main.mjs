// Measures the pages: the real binary, real inferences and lines, a headless Chromium. Run by `make bench-ui`; writes
// results.md and results.json beside itself. Times of the main thread are the thread's own (threadTicks), so other work
// of the machine is not in them; times of navigation and frames are of the clock, so a busy machine is. SOAK is how many
// seconds the pages refresh themselves, each second, for the measurement of memory (default 240). With MINUTES=60 memory
// alone is followed, for an hour by the clock with a refresh every 15 s; it writes clock.md and clock.json. Before that
// come ten minutes with a refresh each second: the range of five minutes fills, and V8 compiles what runs often, which
// is a matter of how often and not of how long, so that at 15 s it would go on for hours.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { push } from '../../test/browser/asking.mjs';
import { browse, feed, start, until } from '../../test/browser/harness.mjs';

const clock = process.env.MINUTES !== undefined;
const soak = clock ? 60 * Number(process.env.MINUTES) : Number(process.env.SOAK ?? 240);
const warm = clock ? 600 : Math.min(120, soak / 2);
const refresh = clock ? 15 : 1; // Seconds.
const range = clock ? '5m' : '1h';
const begun = { at: new Date().toISOString(), load: loadavg()[0] };
const results = [];

/** note keeps one figure; a goal is the most allowed, or the least where atLeast is set. */
function note(what, value, unit, { goal, atLeast = false, remark = '' } = {}) {
  const met = goal === undefined ? undefined : atLeast ? value >= goal : value <= goal;
  results.push({ what, value, unit, goal, atLeast, met, remark });
  const bar = goal === undefined ? '' : ` (bar ${atLeast ? '≥' : '≤'} ${goal}: ${met ? 'met' : 'MISSED'})`;
  console.log(`${what}: ${round(value)} ${unit}${bar}${remark ? `; ${remark}` : ''}`);
}

const round = (v) => (Math.abs(v) >= 100 ? v.toFixed(0) : v.toFixed(1));
const sorted = (list) => [...list].sort((a, b) => a - b);
const median = (list) => sorted(list)[Math.floor(list.length / 2)];

/** thread gives the CPU time of a page's main thread so far, in ms. */
async function thread(page) {
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  return async () => {
    const { metrics } = await session.send('Performance.getMetrics');
    return 1000 * metrics.find((m) => m.name === 'TaskDuration').value;
  };
}

/** scrolling measures what a frame costs while a page of a long list is scrolled, and how many rows are drawn. */
async function scrolling(page, what, rows) {
  const spent = await thread(page);
  const before = await spent();
  const { frames, drawn } = await page.evaluate(async (selector) => {
    let frames = 0;
    let drawn = 0;
    for (let y = 0; y < 24_000; y += 100) {
      scrollTo(0, y);
      await new Promise(requestAnimationFrame);
      frames++;
      drawn = Math.max(drawn, document.querySelectorAll(selector).length);
    }
    return { frames, drawn };
  }, rows);
  note(`${what}: main thread for a frame while scrolling`, ((await spent()) - before) / frames, 'ms', {
    goal: 16.7,
    remark: `100 px a frame, which is 6,000 px a second; at most ${drawn} rows drawn`,
  });
}

async function initialScript() {
  const out = execFileSync('node', ['scripts/size.mjs'], { cwd: fileURLToPath(new URL('../../ui', import.meta.url)) });
  note('initial JavaScript, gzip', Number(/initial JavaScript\s+([\d.]+) kB/.exec(out)[1]), 'kB', { goal: 350 });
}

async function coldOverview(browser) {
  const took = [];
  const busy = [];
  for (let i = 0; i < 9; i++) {
    const tab = await browser.open();
    const spent = await thread(tab.page);
    const begin = performance.now();
    await tab.go('/');
    await tab.page.getByRole('row').filter({ hasText: 'shop' }).waitFor();
    took.push(performance.now() - begin);
    busy.push(await spent());
    await tab.close();
  }
  note('overview usable after navigation, cold cache, median of 9', median(took), 'ms', {
    goal: 1000,
    remark: `slowest ${round(sorted(took).at(-1))} ms; main thread ${round(median(busy))} ms`,
  });
}

async function chart(browser) {
  const tab = await browser.open();
  const { page } = tab;
  const end = Math.floor(Date.now() / 1000 / 15) * 15;
  const result = Array.from({ length: 50 }, (_, s) => ({
    metric: { __name__: 'wave', series: `s${s}` },
    values: Array.from({ length: 1000 }, (_, i) => [end - (999 - i) * 15, (Math.sin(i / 50 + s) * 10 + s).toFixed(3)]),
  }));
  const body = JSON.stringify({ status: 'success', data: { resultType: 'matrix', result } });
  await page.route('**/api/v1/query_range', (route) => route.fulfill({ contentType: 'application/json', body }));
  const spent = await thread(page);
  const whole = [];
  for (let i = 0; i < 5; i++) {
    await tab.go('/explore?range=4h&metrics=wave&show=table&refresh=off');
    await page.getByRole('textbox', { name: 'Query A' }).waitFor();
    await tab.settled();
    const before = await spent();
    await page.getByText('Graph', { exact: true }).click();
    await page.getByText(/50 series · One point/).waitFor();
    await wait(300);
    whole.push((await spent()) - before);
  }
  // One series alone and then all again: the second draws 50 × 1,000 points anew.
  const key = page.getByRole('button', { name: /series="s0"/ });
  const draws = [];
  for (let i = 0; i < 15; i++) {
    await key.evaluate((e) => e.click());
    await wait(200);
    const before = await spent();
    await key.evaluate((e) => e.click());
    await wait(200);
    draws.push((await spent()) - before);
  }
  note('50 series × 1,000 points drawn, main thread, median of 15', median(draws), 'ms', {
    goal: 60,
    remark: `from the bytes of the answer to the picture, with the page around it, ${round(median(whole))} ms`,
  });
  await tab.close();
}

async function tail(browser, url) {
  const job = 'bench_live';
  await push(url, { job }, ['level=info msg=begin']);
  const tab = await browser.open();
  const { page } = tab;
  await tab.go(`/explore?view=logs&live=1&logs=${encodeURIComponent(`{job="${job}"}`)}`);
  await page.getByText(/Following/).waitFor();
  let on = true;
  let n = 0;
  const load = (async () => {
    const begin = Date.now();
    while (on) {
      const due = Date.now() - begin - n;
      if (due >= 50)
        await push(url, { job }, Array.from({ length: due }, () => `level=info msg="request ${n++} served" path=/predict took=12ms`));
      await wait(20);
    }
  })();
  await wait(3000);
  const spent = await thread(page);
  const busy = await spent();
  const seconds = 10;
  const came = n;
  const { frames, longest } = await page.evaluate(
    (ms) =>
      new Promise((done) => {
        const begin = performance.now();
        let last = begin;
        let frames = 0;
        let longest = 0;
        const tick = (now) => {
          frames++;
          longest = Math.max(longest, now - last);
          last = now;
          if (now - begin < ms) requestAnimationFrame(tick);
          else done({ frames, longest });
        };
        requestAnimationFrame(tick);
      }),
    seconds * 1000,
  );
  const rate = (n - came) / seconds;
  const share = ((await spent()) - busy) / (seconds * 1000);
  on = false;
  await load;
  note('live tail, frames a second', frames / seconds, 'fps', {
    goal: 30,
    atLeast: true,
    remark: `at ${round(rate)} lines/s; longest frame ${round(longest)} ms; main thread ${round(100 * share)} % busy`,
  });
  await tab.close();
}

async function lists(browser, server) {
  let tab = await browser.open();
  const { services, ...rest } = await server.get('/ai/v1/services');
  const many = Array.from({ length: 1000 }, (_, i) => ({ ...services[0], service: `service-${String(i).padStart(4, '0')}` }));
  await tab.page.route('**/ai/v1/services', (r) => r.fulfill({ json: { ...rest, services: many } }));
  await tab.go('/?refresh=off');
  await tab.page.getByText('service-0000', { exact: true }).waitFor();
  await scrolling(tab.page, '1,000 services', '[role=row]');
  await tab.close();

  tab = await browser.open();
  const rule = (i) => ({
    type: 'alerting', name: `Rule${i}`, query: `up{i="${i}"} == 0`, health: 'ok', state: 'inactive', duration: 60,
    evaluationTime: 0.001, lastEvaluation: new Date().toISOString(), labels: {}, annotations: {}, alerts: [],
  });
  const groups = Array.from({ length: 50 }, (_, g) => ({
    name: `group ${g}`, file: 'many.yml', interval: 60, evaluationTime: 0.1, lastEvaluation: new Date().toISOString(),
    rules: Array.from({ length: 100 }, (_, i) => rule(g * 100 + i)),
  }));
  await tab.page.route('**/api/v1/rules', (route) => route.fulfill({ json: { status: 'success', data: { groups } } }));
  await tab.go('/alerts/rules?refresh=off');
  await tab.page.getByText('All 5,000').waitFor();
  await scrolling(tab.page, '5,000 rules', 'main [data-index]');
  await tab.close();
}

/** refreshing counts what a page asks again, and follows the memory of two pages that refresh themselves. */
async function refreshing(browser, url) {
  const paths = [
    ['service page', `/services/shop?range=${range}&refresh=1s`],
    ['Explore, metrics and logs', `/explore?range=${range}&refresh=1s&metrics=up&logs=${encodeURIComponent('{job="ai"}')}`],
  ];
  const tabs = [];
  for (const [name, path] of paths) {
    const tab = await browser.open();
    const asked = { count: 0, first: 0, again: 0, longest: 0, running: new Map(), twice: 0 };
    const started = Date.now();
    const keyOf = (r) => new URLSearchParams(r.postData() ?? '').get('query');
    tab.page.on('request', (r) => {
      if (!r.url().includes('/query_range')) return;
      const p = new URLSearchParams(r.postData() ?? '');
      const key = p.get('query');
      // Loki's interface takes nanoseconds.
      const span = (Number(p.get('end')) - Number(p.get('start'))) / (r.url().includes('/loki/') ? 1e9 : 1);
      asked.count++;
      if ((asked.running.get(key) ?? 0) > 0) asked.twice++;
      asked.running.set(key, (asked.running.get(key) ?? 0) + 1);
      if (Date.now() - started > 5000) {
        asked.again++;
        asked.longest = Math.max(asked.longest, span);
      }
    });
    const ended = (r) => {
      if (r.url().includes('/query_range')) asked.running.set(keyOf(r), (asked.running.get(keyOf(r)) ?? 1) - 1);
    };
    tab.page.on('requestfinished', ended);
    tab.page.on('requestfailed', ended);
    await tab.go(path);
    await tab.settled();
    const session = await tab.page.context().newCDPSession(tab.page);
    await session.send('Performance.enable');
    tabs.push({ name, tab, asked, session, sizes: [] });
  }
  const sample = async () => {
    for (const t of tabs) {
      await t.session.send('HeapProfiler.collectGarbage');
      const { metrics } = await t.session.send('Performance.getMetrics');
      const of = (name) => metrics.find((m) => m.name === name).value;
      t.sizes.push({ heap: of('JSHeapUsedSize') / 1e6, nodes: of('Nodes'), listeners: of('JSEventListeners') });
    }
  };
  await wait(warm * 1000);
  if (clock)
    for (const { tab } of tabs) {
      await tab.page.getByRole('button', { name: 'Refresh interval: 1 second' }).click();
      await tab.page.getByRole('menuitem', { name: new RegExp(`\\b${refresh} seconds`) }).click();
    }
  for (const t of tabs) t.held = [await held(t.session)];
  await sample();
  const begin = Date.now();
  while (Date.now() - begin < soak * 1000) {
    await wait(Math.min(30, soak / 4) * 1000);
    await sample();
  }
  for (const t of tabs) t.held.push(await held(t.session));
  for (const { name, tab, asked, sizes, held } of tabs) {
    const [first, last] = [sizes[0], sizes.at(-1)];
    note(`${name}: what the page itself holds then, beside what it held at first`, (100 * held[1].data) / held[0].data, '%', {
      goal: 105,
      remark: `objects, arrays, closures and strings ${held[0].data.toFixed(2)} → ${held[1].data.toFixed(2)} MB; code that V8 compiled ${held[0].code.toFixed(2)} → ${held[1].code.toFixed(2)} MB`,
    });
    note(`${name}: heap after ${soak} s of refreshing every ${refresh} s, beside the heap after ${round(warm)} s`, (100 * last.heap) / first.heap, '%', {
      goal: 115,
      remark: `${round(first.heap)} → ${round(last.heap)} MB after collection, at most ${round(Math.max(...sizes.map((s) => s.heap)))}; DOM nodes ${first.nodes} → ${last.nodes}; listeners ${first.listeners} → ${last.listeners}`,
    });
    note(`${name}: range queries sent twice at once`, asked.twice, 'of them', { goal: 0, remark: `of ${asked.count} sent` });
    note(`${name}: longest span that a refresh asked for, of the ${range} shown`, asked.longest, 's', {
      goal: 600,
      remark: `${asked.again} refreshes`,
    });
    await tab.close();
  }
}

/** held gives the MB of a page's heap that its data take and those of compiled code, which V8 keeps beside them. */
async function held(session) {
  const parts = [];
  const on = (e) => parts.push(e.chunk);
  session.on('HeapProfiler.addHeapSnapshotChunk', on);
  await session.send('HeapProfiler.takeHeapSnapshot', { reportProgress: false });
  session.off('HeapProfiler.addHeapSnapshotChunk', on);
  const { snapshot, nodes } = JSON.parse(parts.join(''));
  const fields = snapshot.meta.node_fields;
  const kinds = snapshot.meta.node_types[fields.indexOf('type')];
  const [type, size] = [fields.indexOf('type'), fields.indexOf('self_size')];
  const sum = { data: 0, code: 0 };
  for (let i = 0; i < nodes.length; i += fields.length) {
    const kind = kinds[nodes[i + type]];
    if (kind === 'code') sum.code += nodes[i + size] / 1e6;
    // What is native belongs to the document, whose nodes are counted, and to the inspector that measures.
    else if (kind !== 'native') sum.data += nodes[i + size] / 1e6;
  }
  return sum;
}

function write() {
  const where = (ending) => fileURLToPath(new URL(`${clock ? 'clock' : 'results'}.${ending}`, import.meta.url));
  const machine = { processors: cpus().length, model: cpus()[0]?.model ?? '', loadBefore: begun.load, at: begun.at, soakSeconds: soak };
  writeFileSync(where('json'), `${JSON.stringify({ machine, results }, null, 1)}\n`);
  const row = (r) =>
    `| ${r.what} | ${round(r.value)} ${r.unit} | ${r.goal === undefined ? '' : `${r.atLeast ? '≥' : '≤'} ${r.goal}, ${r.met ? 'met' : '**missed**'}`} | ${r.remark} |`;
  writeFileSync(
    where('md'),
    `# The pages

The real binary with two versions of a model that are sent 120 inferences a second, in a headless Chromium without GPU, server,
browser and load on the same machine (${machine.processors} processors). Times of the main thread are its CPU time, not the
clock's. The answers with 50 series, 1,000 services and 5,000 rules are made up by the measurement; everything else is the
server's. Memory was followed for ${soak} s with a refresh every ${refresh} s, after ${warm} s${clock ? ' with a refresh each second' : ''} in which V8 compiles what
runs often${clock ? ' and the range of five minutes fills' : ''}.${clock ? '' : ' That is as many refreshes as an hour has at the usual 15 s; clock.md has the same by the clock.'}

Measured ${begun.at}. Load average before: ${round(begun.load)}.

| what | measured | bar | beside it |
|---|---|---|---|
${results.map(row).join('\n')}

    ${clock ? `MINUTES=${soak / 60} ` : ''}make bench-ui
`,
  );
}

const server = await start({ 'modelwatch.yml': 'inferences: {window: 5s, lateness: 1s, baseline: {records: 600, minimum: 200}}\n' });
const sender = feed(server.url);
let browser;
try {
  await until('inferences', async () => (await server.get('/ai/v1/services')).services.some((s) => s.service === 'shop' && s.models.length === 2));
  browser = await browse(server.url);
  if (!clock) {
    await initialScript();
    await coldOverview(browser);
    await chart(browser);
    await tail(browser, server.url);
    await lists(browser, server);
  }
  await refreshing(browser, server.url);
  write();
} finally {
  await browser?.close();
  await sender.stop();
  await server.stop();
}
if (results.some((r) => r.met === false)) {
  console.error('A bar is missed, see the figures above.');
  process.exit(1);
}
