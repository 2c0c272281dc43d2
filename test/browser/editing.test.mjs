// Editing configuration files in the page: from a rule to its file, with checks, history, and a rule made by a form.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { after, before, test } from 'node:test';
import { browse, start, until } from './harness.mjs';

const dir = mkdtempSync(join(tmpdir(), 'modelwatch-editing-'));
const at = (name) => join(dir, name);
const disk = (name) => readFileSync(at(name), 'utf8');
const job = (name, port) => `  - scheme: http\n    job_name: ${name}\n    static_configs: [{targets: ['127.0.0.1:${port}']}]\n`;
const shots = process.env.MODELWATCH_SHOTS;

let server;
let browser;
let ids;

before(async () => {
  mkdirSync(at('rules'));
  writeFileSync(
    at('prometheus.yml'),
    `global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [rules/*.yml]
scrape_configs:
  - job_name: gone
    basic_auth: {username: me, password: scrape-s3cret}
    static_configs: [{targets: ['127.0.0.1:1']}]
  - job_name: found
    file_sd_configs: [{files: [targets.yml], refresh_interval: 1s}]
scrape_config_files: [jobs/*.yml]
`,
  );
  mkdirSync(at('jobs'));
  writeFileSync(at('jobs/models.yml'), `# Jobs of the models.\n${'# Nothing here.\n'.repeat(200)}scrape_configs:\n${job('embedder', 4)}${job('ranker', 5)}`);
  writeFileSync(at('targets.yml'), "- targets: ['127.0.0.1:2']\n");
  writeFileSync(
    at('rules/shop.yml'),
    `# Rules of the shop.
groups:
  - name: counts
    rules:
      - record: job:up:count
        expr: count by (job) (up)
  - name: shop
    rules:
      - alert: TargetDown
        expr: up == 0
        for: 2s
        labels: {severity: critical}
      - record: job:up:sum
        expr: sum by (job) (up)
`,
  );
  writeFileSync(at('rules/managed.yml'), '# Managed by Ansible, do not edit\ngroups: []\n');
  writeFileSync(
    at('alertmanager.yml'),
    `route: {receiver: hook, group_by: [alertname]}
receivers:
  - name: hook
    webhook_configs: [{url: 'http://127.0.0.1:1/hook-s3cret'}]
`,
  );
  // Named as people do: from where they stand.
  server = await start({}, [`--prometheus.config=${relative('', at('prometheus.yml'))}`, `--alertmanager.config=${at('alertmanager.yml')}`]);
  browser = await browse(server.url);
  const { files } = await server.get('/ai/v1/config/files');
  ids = Object.fromEntries(files.map((f) => [f.path.split('/').pop(), f.id]));
  await until('a sample', async () => (await server.get('/api/v1/query?query=count_over_time(up[1m])')).data.result.some((r) => Number(r.value[1]) > 4));
});

after(async () => {
  await browser?.close();
  await server?.stop();
  rmSync(dir, { recursive: true, force: true });
});

async function open(path, look) {
  const tab = await browser.open(look);
  tab.page.setDefaultTimeout(15_000);
  await tab.go(path);
  return tab;
}

const shot = async (page, name) => {
  if (shots) await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
};

/** type puts text at the end of the editor. */
async function type(page, text) {
  await page.getByRole('textbox', { name: 'Text of the file' }).click();
  await page.keyboard.press('Control+End');
  await page.keyboard.type(text);
}

test('a rule is changed from its page: found, completed, checked, compared, saved', async () => {
  const { page, clean, close } = await open('/alerts/rules');
  await page.getByRole('button', { name: /TargetDown/ }).click();
  await page.getByRole('link', { name: 'Edit' }).nth(1).click();
  await page.getByText('Rules of the shop').waitFor();
  await page.getByText('Nothing changed').waitFor();
  // Settings are offered.
  await type(page, '        ann');
  await page.getByRole('option', { name: /annotations/ }).waitFor();
  await shot(page, 'complete');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Control+End');
  // What is wrong is marked with its line.
  await page.keyboard.type(' 5');
  await page.getByText(/cannot unmarshal/).first().waitFor();
  assert.ok(await page.getByRole('button', { name: 'Review and save' }).isDisabled());
  await shot(page, 'problem');
  await clean();
  await page.evaluate(() => {
    globalThis.confirm = () => true;
  });
  await page.getByRole('button', { name: 'Discard changes' }).click();
  await page.getByText('Nothing changed').waitFor();

  await type(page, '      - {alert: Second, expr: up == 0}');
  await page.getByText('No problem found').waitFor();
  // Unsaved text survives a reload of the page.
  await page.reload();
  await page.getByText('Your unsaved changes from before are back.').waitFor();
  await page.getByRole('button', { name: 'Review and save' }).click();
  const diff = page.getByRole('region', { name: 'Difference, line by line' });
  await diff.getByText('{alert: Second, expr: up == 0}').waitFor();
  await page.getByLabel(/Why/).fill('one more rule');
  await shot(page, 'review');
  await clean();
  await page.getByRole('button', { name: 'Save and take over' }).click();
  await page.getByText('Saved and taken over').waitFor();
  assert.match(disk('rules/shop.yml'), /alert: Second/);
  await page.getByText('one more rule').waitFor();
  await until('the rule to be evaluated', async () => {
    const { data } = await server.get('/api/v1/rules');
    return data.groups.some((g) => g.rules.some((r) => r.name === 'Second'));
  });
  await shot(page, 'saved');

  // And back to what it was.
  await page.getByRole('button', { name: 'Compare' }).last().click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('{alert: Second, expr: up == 0}').waitFor();
  await page.waitForTimeout(300);
  await shot(page, 'version');
  await clean();
  await dialog.getByRole('button', { name: 'Restore this version' }).click();
  await dialog.waitFor({ state: 'detached' });
  assert.doesNotMatch(disk('rules/shop.yml'), /alert: Second/);
  await clean();
  await close();
});

test('the editor begins at the job, group or rule whose Edit was clicked, in the file that has it', async () => {
  const { page, clean, close } = await open('/status/targets');
  const edit = async (region, file, line, above = 0) => {
    await region.getByRole('link', { name: 'Edit', exact: true }).click();
    await page.getByRole('heading', { name: file.split('/').pop() }).waitFor();
    // The line is in sight, and the cursor where what it says begins.
    const text = disk(file).split('\n');
    const number = text.findIndex((l) => l.trim() === line) + 1 - above;
    const at = page.locator('.cm-line').filter({ hasText: line }).first();
    await at.waitFor();
    assert.equal(await page.locator('.cm-lineNumbers .cm-activeLineGutter').innerText(), String(number));
    const seen = () =>
      at.evaluate((l) => {
        const [inner, outer] = [l, l.closest('.cm-scroller')].map((e) => e.getBoundingClientRect());
        return inner.top >= outer.top && inner.bottom <= outer.bottom;
      });
    await until('the line to be in sight', seen, 5);
    await clean();
    await page.goBack();
  };
  const panel = (name) => page.getByRole('region', { name });
  await edit(panel('ranker'), 'jobs/models.yml', 'job_name: ranker', 1);
  await edit(panel('gone'), 'prometheus.yml', '- job_name: gone');
  await page.goto(`${server.url}/alerts/rules?q=shop.yml`);
  const item = (name) => page.locator('[data-index]').filter({ hasText: name });
  await edit(item(/^counts/), 'rules/shop.yml', '- name: counts');
  await edit(item(/^shop/), 'rules/shop.yml', '- name: shop');
  await page.getByRole('button', { name: /job:up:sum/ }).click();
  await edit(item(/job:up:sum/), 'rules/shop.yml', '- record: job:up:sum');
  await close();
});

test('who was faster is shown, and nothing of theirs is lost', async () => {
  const { page, clean, close } = await open(`/files/${ids['targets.yml']}`);
  await type(page, "- targets: ['127.0.0.1:3']");
  await page.getByText('No problem found').waitFor();
  writeFileSync(at('targets.yml'), "- targets: ['127.0.0.1:9']\n");
  await page.getByRole('button', { name: 'Review and save' }).click();
  await page.getByRole('button', { name: 'Save and take over' }).click();
  await page.getByText('The file has changed since you opened it').waitFor();
  await page.getByRole('region', { name: 'Difference' }).getByText('127.0.0.1:9').waitFor();
  await shot(page, 'conflict');
  assert.equal(disk('targets.yml'), "- targets: ['127.0.0.1:9']\n");
  await page.getByRole('button', { name: 'Keep my text' }).click();
  await page.getByRole('button', { name: 'Save and take over' }).click();
  await page.getByText('Saved and taken over').waitFor();
  assert.match(disk('targets.yml'), /127.0.0.1:3/);
  await until('the target to be scraped', async () =>
    (await server.get('/api/v1/targets')).data.activeTargets.some((t) => t.labels.instance === '127.0.0.1:3'),
  );
  await page.getByText('Before the first edit here').waitFor();
  // The conflict is an answer of 409, which the browser reports; nothing else may be wrong.
  await clean().catch((err) => assert.match(String(err.message), /409 \(Conflict\)/));
  await close();
});

test('secrets stay hidden and stay as they are', async () => {
  const { page, clean, close } = await open(`/files/${ids['alertmanager.yml']}`);
  await page.getByText("url: '<secret>'").waitFor();
  await page.getByText('One secret is hidden').waitFor();
  await type(page, '  - name: nobody');
  await page.getByText('No problem found').waitFor();
  await page.getByRole('button', { name: 'Review and save' }).click();
  await page.getByRole('button', { name: 'Save and take over' }).click();
  await page.getByText('Saved and taken over').waitFor();
  assert.match(disk('alertmanager.yml'), /hook-s3cret/);
  assert.doesNotMatch(await page.content(), /s3cret/);
  await page.goto(`${server.url}/alerts/routing`);
  await page.getByText('nobody').first().waitFor();
  await page.getByRole('link', { name: 'Edit routes and receivers' }).waitFor();
  await clean();
  await close();
});

test('files under other management are shown read-only and say so', async () => {
  const { page, clean, close } = await open('/files');
  const row = page.getByRole('row').filter({ hasText: 'managed.yml' });
  await row.getByText('Managed by Ansible').waitFor();
  await shot(page, 'files');
  await clean();
  await row.getByRole('link').click();
  await page.getByText('Shown read-only: something else writes it').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Review and save' }).count(), 0);
  await clean();
  await close();
});

test('a form makes a rule, says when it would have fired, and puts it into a file', async () => {
  const { page, clean, close } = await open('/files/new-rule?kind=down');
  await page.getByText('Would not have fired in the last 7 days').waitFor();
  await page.getByText('24 hours').click();
  await page.getByLabel('For at least').fill('0s');
  await page.getByText(/Would have fired \d times in the last 24 hours/).waitFor();
  await page.getByText(/alerts would fire now/).waitFor();
  await page.getByText(/up had data for/).waitFor();
  await page.getByLabel('Only series with').fill('job="gone"');
  await page.getByLabel('Summary in the message').fill('{{ $labels.job }} is down');
  await page.getByText(/Would have fired once in the last 24 hours/).waitFor();
  await shot(page, 'form');
  await clean();
  await page.getByLabel('For at least').fill('soon');
  await page.getByText('Write a duration').waitFor();
  assert.ok(await page.getByRole('button', { name: 'Put it into the file' }).isDisabled());
  await page.getByLabel('For at least').fill('1s');
  await page.getByRole('button', { name: 'Put it into the file' }).click();
  await page.getByText('No problem found').waitFor();
  await page.getByRole('button', { name: 'Review and save' }).click();
  await page.getByRole('button', { name: 'Save and take over' }).click();
  await page.getByText('Saved and taken over').waitFor();
  const text = disk('rules/shop.yml');
  assert.match(text, /# Rules of the shop\./);
  assert.match(text, /- alert: TargetDown\n {8}expr: 'up\{job="gone"\} == 0'\n {8}for: 1s/);
  await clean();
  await close();
});

test('the rule at the cursor says when it would have fired, in both languages of queries', async () => {
  const line = { streams: [{ stream: { app: 'till' }, values: [[`${Date.now() - 120_000}000000`, 'ERROR jammed']] }] };
  const pushed = await fetch(`${server.url}/loki/api/v1/push`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(line) });
  assert.ok(pushed.ok, await pushed.text());
  await until('data of more than one step', async () =>
    (await server.get('/api/v1/query?query=count_over_time(up{job="gone"}[5m])')).data.result.some((r) => Number(r.value[1]) > 25),
  );
  const { page, clean, close } = await open(`/files/${ids['shop.yml']}?group=shop&rule=TargetDown`);
  await page.getByText(/Would (not )?have fired/).waitFor();
  await page.getByText('24 hours').click();
  await page.getByText(/Would have fired (once|\d+ times) in the last 24 hours/).waitFor();
  const which = page.getByRole('combobox', { name: 'Alert rule to preview' });
  assert.match(await which.inputValue(), /^TargetDown \(line \d+\)$/);
  // What is not saved is evaluated as it is typed.
  await type(page, '      - alert: Jammed\nexpr: sum(count_over_time({app="till"} |= "ERROR" [1m');
  await page.getByText('Error', { exact: true }).first().waitFor();
  await page.keyboard.press('Control+End');
  await page.keyboard.type('])) > 0');
  await page.getByText('Would have fired once in the last 24 hours').waitFor();
  await page.getByText('Whether log lines were collected all the time cannot be told.').waitFor();
  assert.match(await which.inputValue(), /^Jammed/);
  await shot(page, 'preview');
  await page.getByText('No problem found').waitFor();
  await page.getByText('# Rules of the shop.').click();
  await page.getByText('Put the cursor on an alert rule, or choose one').waitFor();
  await which.click();
  await page.getByRole('option', { name: /^Jammed/ }).click();
  await page.getByText('Would have fired once in the last 24 hours').waitFor();
  await page.evaluate(() => {
    globalThis.confirm = () => true;
  });
  await page.getByRole('button', { name: 'Discard changes' }).click();
  // Half an expression is an answer of 422, which the browser reports; nothing else may be wrong.
  await clean().catch((err) => assert.match(String(err.message), /422 \(Unprocessable Entity\) at \S+ \S+alerting\/preview/));
  await close();
});

test('a rule file is made in the page, taken back and brought back', async () => {
  const { page, clean, wrong, close } = await open('/files');
  await page.getByRole('link', { name: 'New rule file' }).click();
  await page.getByText('Give it a name, and it is checked.').waitFor();
  await page.getByText('As rule_files in prometheus.yml says: *.yml').waitFor();
  const create = page.getByRole('button', { name: 'Create and take over' });
  const name = page.getByLabel('Name of the file');
  assert.ok(await create.isDisabled());
  for (const [text, says] of [
    ['../up.yml', 'Give the name alone, without a directory.'],
    ['.hidden.yml', 'begin with a letter'],
    ['made.txt', 'rule_files would not take a file of the name "made.txt" over'],
    ['shop.yml', 'there is something of this name already'],
  ]) {
    await name.fill(text);
    await page.getByText(says).waitFor();
    assert.ok(await create.isDisabled(), text);
  }
  await name.fill('made.yml');
  await page.getByText('No problem found').waitFor();
  await page.getByRole('textbox', { name: 'Text of the file' }).click();
  await page.keyboard.press('Control+A');
  await page.keyboard.press('Backspace');
  await page.keyboard.type('groups:\n- name: made\nrules:\n- {alert: Made, expr: up ==}');
  await page.getByText(/parse error/).first().waitFor();
  assert.ok(await create.isDisabled());
  await shot(page, 'new-problem');
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.type(' 0');
  await page.getByText('No problem found').waitFor();
  await page.getByLabel(/Why/).fill('made by hand');
  await shot(page, 'new');
  // Names that were refused are answers of 409 and 422, which the browser reports; nothing else may be wrong.
  assert.deepEqual(wrong.filter((w) => !/(files\/check|alerting\/preview)$/.test(w)), []);
  wrong.length = 0;
  await clean();
  await create.click();
  await page.getByText('Saved and taken over').waitFor();
  await page.getByText('Created here').waitFor();
  await page.getByText('Before it was created: no file').waitFor();
  assert.match(disk('rules/made.yml'), /alert: Made/);
  await until('the rule to be evaluated', async () => {
    const { data } = await server.get('/api/v1/rules');
    return data.groups.some((g) => g.rules.some((r) => r.name === 'Made'));
  });

  // Back to before it was made, and forth again.
  await page.getByRole('button', { name: 'Compare' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('There was no such file.').waitFor();
  await page.waitForTimeout(300);
  await shot(page, 'new-remove');
  await clean();
  await dialog.getByRole('button', { name: 'Remove the file' }).click();
  await page.getByText(/^Removed here/).waitFor();
  assert.ok(!existsSync(at('rules/made.yml')));
  await shot(page, 'new-removed');
  await page.goto(`${server.url}/files`);
  const row = page.getByRole('row').filter({ hasText: 'made.yml' });
  await row.getByText('Removed', { exact: true }).waitFor();
  await row.getByRole('link').click();
  await page.getByRole('button', { name: 'Compare' }).first().click();
  await dialog.getByText('alert: Made').waitFor();
  await dialog.getByRole('button', { name: 'Restore this version' }).click();
  await page.getByText(/^Restored here/).waitFor();
  assert.match(disk('rules/made.yml'), /alert: Made/);
  await clean();
  await close();
});

test('where no directory takes rule files, the page says what to add, and adds it', async () => {
  const own = mkdtempSync(join(tmpdir(), 'modelwatch-bare-'));
  writeFileSync(join(own, 'prometheus.yml'), 'global: {scrape_interval: 1s}\nrule_files: []\n');
  const bare = await start({}, [`--prometheus.config=${join(own, 'prometheus.yml')}`]);
  const other = await browse(bare.url);
  try {
    const { page, clean, go, close } = await other.open();
    page.setDefaultTimeout(15_000);
    await go('/files/new-rule?kind=down');
    await page.getByRole('button', { name: 'Put it into a new file' }).click();
    await page.getByText('No directory takes new rule files over').waitFor();
    await shot(page, 'new-bare');
    await clean();
    await page.getByRole('button', { name: 'Add it to prometheus.yml' }).click();
    await page.getByRole('button', { name: 'Review and save' }).click();
    await page.getByRole('region', { name: 'Difference' }).getByText('rule_files: [rules/*.yml]').waitFor();
    await page.getByRole('button', { name: 'Save and take over' }).click();
    await page.getByText('Saved and taken over').waitFor();
    await page.goto(`${bare.url}/files/new`);
    await page.getByText('The directory is made with it.').waitFor();
    // The rule of the form is still there.
    await page.getByText('- alert: TargetDown').waitFor();
    await page.getByLabel('Name of the file').fill('first.yml');
    await page.getByRole('button', { name: 'Create and take over' }).click();
    await page.getByText('Created here').waitFor();
    assert.match(readFileSync(join(own, 'rules/first.yml'), 'utf8'), /alert: TargetDown/);
    await clean();
    await close();
  } finally {
    await other.close();
    await bare.stop();
    rmSync(own, { recursive: true, force: true });
  }
});

test('every kind of rule in the form is one that the server can evaluate', async () => {
  const { page, close } = await open('/files/new-rule');
  for (const kind of ['threshold', 'errors', 'latency', 'down', 'nodata', 'drift', 'logs', 'own']) {
    await page.goto(`${server.url}/files/new-rule?kind=${kind}`);
    await page.getByText(/Would (not )?have fired/).waitFor();
  }
  await close();
});

for (const look of [
  { name: 'light' },
  { name: 'dark', scheme: 'dark' },
  { name: 'Chinese', locale: 'zh-CN' },
  { name: 'narrow', width: 390, height: 844, scheme: 'dark' },
]) {
  test(`accessible, and as wide as its window: ${look.name}`, async () => {
    const { page, clean, settled, close } = await open('/files', look);
    for (const [name, path] of [
      ['files', '/files'],
      ['edit', `/files/${ids['shop.yml']}?group=shop&rule=TargetDown`],
      ['locked', `/files/${ids['managed.yml']}`],
      ['new', '/files/new'],
      ['rule', '/files/new-rule?kind=down'],
      ['errors', '/files/new-rule?kind=errors'],
      ['rules', '/alerts/rules'],
    ]) {
      await page.goto(server.url + path);
      await settled();
      await page.waitForTimeout(900);
      await shot(page, `${look.name}-${name}`);
      await clean();
    }
    await close();
  });
}
