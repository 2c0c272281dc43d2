// Log-in and roles, as people meet them: the first start, a wrong password, what a viewer may not do, users and tokens.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { binary, browse, freePort, until } from './harness.mjs';

const adminPassword = 'four walruses on a lake';
const pictures = process.env.MODELWATCH_PICTURES;

let server;
let issuer;
let browser;

before(async () => {
  issuer = await provider();
  server = await serve();
  browser = await browse(server.url);
});

after(async () => {
  await browser?.close();
  await server?.stop();
  issuer?.stop();
});

/** serve runs modelwatch with authentication, and tells the password that it prints. */
async function serve() {
  const dir = mkdtempSync(join(tmpdir(), 'modelwatch-login-'));
  const url = `http://127.0.0.1:${await freePort()}`;
  writeFileSync(join(dir, 'oidc.secret'), 's3cret\n');
  writeFileSync(
    join(dir, 'modelwatch.yml'),
    `web:
  auth:
    enabled: true
    oidc:
      name: Example
      issuer: ${issuer.url}
      client_id: modelwatch
      client_secret_file: oidc.secret
      roles: {ml: editor}
`,
  );
  writeFileSync(join(dir, 'alertmanager.yml'), 'route: {receiver: nobody}\nreceivers: [{name: nobody}]\n');
  const child = spawn(
    binary,
    [
      'serve',
      `--config.file=${join(dir, 'modelwatch.yml')}`,
      `--alertmanager.config=${join(dir, 'alertmanager.yml')}`,
      `--storage.path=${join(dir, 'data')}`,
      `--web.listen-address=${new URL(url).host}`,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let told = '';
  let log = '';
  child.stdout.on('data', (d) => {
    told += d;
  });
  child.stderr.on('data', (d) => {
    log = (log + d).slice(-20_000);
  });
  const ended = new Promise((done) => child.on('exit', done));
  await until('modelwatch to be ready', async () => {
    if (child.exitCode !== null) throw new Error(`modelwatch ended: ${log}`);
    return (await fetch(`${url}/-/ready`)).ok;
  });
  return {
    url,
    password: /^ {2}password {2}(\S+)$/m.exec(told)?.[1],
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** provider is an OpenID provider that agrees to everything. */
async function provider() {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const codes = new Map();
  const part = (v) => Buffer.from(typeof v === 'string' ? v : JSON.stringify(v)).toString('base64url');
  const server = createServer(async (request, answer) => {
    const at = new URL(request.url, url);
    const json = (v) => answer.setHeader('Content-Type', 'application/json').end(JSON.stringify(v));
    if (at.pathname === '/.well-known/openid-configuration')
      return json({
        issuer: url,
        authorization_endpoint: `${url}/auth`,
        token_endpoint: `${url}/token`,
        jwks_uri: `${url}/keys`,
        id_token_signing_alg_values_supported: ['ES256'],
      });
    if (at.pathname === '/keys') return json({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k', alg: 'ES256', use: 'sig' }] });
    if (at.pathname === '/auth') {
      const code = randomUUID();
      codes.set(code, at.searchParams);
      const back = new URL(at.searchParams.get('redirect_uri'));
      back.search = new URLSearchParams({ code, state: at.searchParams.get('state') });
      return answer.writeHead(302, { Location: back.href }).end();
    }
    let body = '';
    for await (const d of request) body += d;
    const form = new URLSearchParams(body);
    const asked = codes.get(form.get('code'));
    const challenge = createHash('sha256').update(form.get('code_verifier') ?? '').digest('base64url');
    if (asked?.get('code_challenge') !== challenge) return answer.writeHead(400).end();
    const now = Math.floor(Date.now() / 1000);
    const head = `${part({ alg: 'ES256', kid: 'k' })}.${part({
      iss: url,
      aud: 'modelwatch',
      sub: 'u-1',
      iat: now,
      exp: now + 3600,
      nonce: asked.get('nonce'),
      email: 'ann@example.org',
      email_verified: true,
      groups: ['ml'],
    })}`;
    const signature = sign('sha256', Buffer.from(head), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url');
    return json({ access_token: 'x', token_type: 'Bearer', id_token: `${head}.${signature}` });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const url = `http://127.0.0.1:${server.address().port}`;
  return { url, stop: () => server.close() };
}

/** picture keeps a look at the page, for whoever asks for it by MODELWATCH_PICTURES. */
async function picture(page, name) {
  if (!pictures) return;
  mkdirSync(pictures, { recursive: true });
  await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true });
}

async function login(page, user, password) {
  await page.getByLabel('User', { exact: true }).fill(user);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Log in', exact: true }).click();
}

/** logIn opens pages of somebody who has logged in. */
async function logIn(user, password, look = {}, path = '/login') {
  const tab = await browser.open(look);
  await tab.go(path);
  await login(tab.page, user, password);
  return tab;
}

const away = (page) => page.waitForURL((u) => u.pathname !== '/login');

/** must closes the notes that come up, which would cover what is below. */
async function dismiss(page) {
  for (const b of await page.locator('.mantine-Notification-closeButton').all()) await b.click();
}

test('the first start wants a new password, and then leads where the reader was going', async () => {
  const { page, go, clean, close } = await browser.open();
  await go('/alerts/silences?expired=1#here');
  await page.getByRole('heading', { name: 'Log in' }).waitFor();
  assert.equal(new URL(page.url()).searchParams.get('next'), '/alerts/silences?expired=1');
  await clean();
  await picture(page, 'login');
  // By keyboard alone.
  await page.getByLabel('User', { exact: true }).focus();
  await page.keyboard.type('admin');
  await page.keyboard.press('Tab');
  await page.keyboard.type(server.password);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Choose a password' }).waitFor();
  await picture(page, 'change');
  await clean();
  await page.getByLabel('New password', { exact: true }).fill('short');
  await page.getByLabel('New password again').fill('other');
  await page.getByRole('button', { name: 'Save and go on' }).click();
  await page.getByText('It has fewer than 12 characters.').waitFor();
  await page.getByLabel('New password', { exact: true }).fill(adminPassword);
  await page.getByRole('button', { name: 'Save and go on' }).click();
  await page.getByText('The two are not the same.').waitFor();
  await page.getByLabel('New password again').fill(adminPassword);
  await clean();
  await page.getByRole('button', { name: 'Save and go on' }).click();
  await away(page);
  assert.equal(page.url(), `${server.url}/alerts/silences?expired=1#here`);
  await page.getByRole('button', { name: 'New silence' }).waitFor();
  await clean();
  await close();
});

test('a reload in the middle of the first log-in asks for the old password again', async () => {
  const admin = await logIn('admin', adminPassword);
  await away(admin.page);
  const first = await makeUser(admin.page, 'otto', 'viewer');
  await admin.close();
  const { page, close } = await logIn('otto', first);
  await page.getByRole('heading', { name: 'Choose a password' }).waitFor();
  await page.goto(`${server.url}/explore`);
  await page.getByLabel('Current password').fill(first);
  await page.getByLabel('New password', { exact: true }).fill('the password of otto');
  await page.getByLabel('New password again').fill('the password of otto');
  await page.getByRole('button', { name: 'Save and go on' }).click();
  await page.waitForURL(`${server.url}/explore`);
  await close();
});

test('a wrong password is said, and too many of them how long to wait', async () => {
  const { page, close } = await logIn('somebody', 'wrong');
  await page.getByRole('alert').getByText('Wrong user or password.').waitFor();
  await picture(page, 'wrong');
  for (let i = 0; i < 6; i++) {
    await page.getByLabel('Password', { exact: true }).fill(`wrong ${i}`);
    await page.getByRole('button', { name: 'Log in', exact: true }).click();
    await page.getByRole('alert').waitFor();
    if (await page.getByRole('button', { name: 'Log in', exact: true }).isDisabled()) break;
  }
  await page.getByRole('alert').getByText(/Too many attempts. Try again in \d+ seconds?\./).first().waitFor();
  assert.ok(await page.getByRole('button', { name: 'Log in', exact: true }).isDisabled());
  await picture(page, 'limited');
  await close();
});

test('a session that has ended leads to the log-in and back', async () => {
  const { page, go, close } = await logIn('admin', adminPassword);
  await away(page);
  await go('/status/storage?from=now-3h');
  await page.getByRole('heading', { level: 1 }).waitFor();
  // The page refreshes itself: what it asks by then must not notice before the click does.
  let click;
  const clicked = new Promise((resolve) => (click = resolve));
  await page.route(/\/(ai|api)\//, async (route) => {
    await clicked;
    await route.continue();
  });
  await page.context().clearCookies();
  await page.getByRole('tab', { name: 'About' }).click();
  click();
  await page.getByText('The session has ended.').waitFor();
  await picture(page, 'expired');
  const next = new URL(page.url()).searchParams.get('next');
  assert.equal(next, '/status/about?from=now-3h');
  await login(page, 'admin', adminPassword);
  await page.waitForURL(server.url + next);
  await page.getByText('Authentication is on. You are admin, with the role admin.').waitFor();
  await close();
});

/** makeUser makes a user on the page, and returns the password that is shown. */
async function makeUser(page, name, role) {
  await page.goto(`${server.url}/settings/users`);
  await page.getByRole('button', { name: 'New user' }).click();
  const form = page.getByRole('dialog');
  await form.getByLabel('Name').fill(name);
  await form.getByLabel(role, { exact: true }).check();
  await picture(page, 'new-user');
  await form.getByRole('button', { name: 'Create' }).click();
  const shown = page.getByRole('dialog', { name: `Password of ${name}` });
  await shown.getByText('This is shown only now.').waitFor();
  const password = await shown.locator('pre').textContent();
  await shown.getByRole('button', { name: 'Close' }).last().click();
  await page.getByRole('row').filter({ hasText: name }).waitFor();
  return password;
}

test('an admin makes users and tokens, changes and revokes them, and finds it in the audit log', async () => {
  const { page, go, clean, close } = await logIn('admin', adminPassword);
  await away(page);
  await makeUser(page, 'vera', 'viewer');
  await clean();
  await picture(page, 'users');
  const row = page.getByRole('row').filter({ hasText: 'vera' });
  const act = async (what) => {
    await row.getByRole('button', { name: 'Actions for vera' }).click();
    await page.getByRole('menuitem', { name: what, exact: true }).click();
  };
  await act('Change role');
  await page.getByRole('dialog').getByLabel('editor', { exact: true }).check();
  await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
  await row.getByText('editor').waitFor();
  await act('Disable');
  await page.getByRole('dialog').getByRole('button', { name: 'Disable' }).click();
  await row.getByText('Disabled').waitFor();
  await act('Enable');
  await row.getByText('Has not set a password yet').waitFor();
  await act('New password');
  await page.getByRole('dialog').getByRole('button', { name: 'New password' }).click();
  await page.getByRole('dialog', { name: 'Password of vera' }).locator('pre').waitFor();
  await page.keyboard.press('Escape');
  await act('Delete');
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await row.waitFor({ state: 'detached' });
  // The last admin stays, and the page says why.
  await page.getByRole('button', { name: 'Actions for admin' }).click();
  await page.getByRole('menuitem', { name: 'Delete' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await page.getByText('admin is the last admin with a password').waitFor();
  await page.keyboard.press('Escape');

  await go('/settings/tokens');
  await page.getByText('There are no tokens yet').waitFor();
  await page.getByRole('button', { name: 'New token' }).click();
  await page.getByRole('dialog').getByLabel('What it is for').fill('churn service');
  await picture(page, 'new-token');
  await page.getByRole('dialog').getByRole('button', { name: 'Create' }).click();
  const shown = page.getByRole('dialog', { name: 'Token churn service' });
  const token = await shown.locator('pre').first().textContent();
  assert.match(token, /^mw_/);
  await picture(page, 'token');
  await shown.getByRole('button', { name: 'Close' }).last().click();
  const push = () =>
    fetch(`${server.url}/loki/api/v1/push`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ streams: [{ stream: { app: 'churn' }, values: [[`${Date.now()}000000`, 'scored']] }] }),
    });
  assert.equal((await push()).status, 204);
  await page.reload();
  await page.getByRole('row').filter({ hasText: 'churn service' }).getByText(`${token.slice(0, 7)}…`).waitFor();
  assert.ok(!(await page.content()).includes(token));
  await picture(page, 'tokens');
  await page.getByRole('button', { name: 'Revoke' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
  await page.getByText('There are no tokens yet').waitFor();
  assert.equal((await push()).status, 401);
  await dismiss(page);

  await go('/settings/audit');
  for (const what of ['revoke the token churn service', 'delete the user vera', 'make the user vera with role viewer'])
    await page.getByText(what).first().waitFor();
  await page.getByRole('row').filter({ hasText: 'delete the user admin' }).getByText('failed (409)').waitFor();
  await picture(page, 'audit');
  await clean().catch((err) => {
    // The refusal to delete the last admin is in the console, as every answer 409.
    if (!/status of 409/.test(err.message)) throw err;
  });
  await close();
});

test('what a viewer may not do is disabled with the reason, and a change of role holds at once', async () => {
  const admin = await logIn('admin', adminPassword);
  await away(admin.page);
  const first = await makeUser(admin.page, 'vic', 'viewer');
  const { page, go, clean, close } = await logIn('vic', first);
  await page.getByLabel('New password', { exact: true }).fill('the password of vic');
  await page.getByLabel('New password again').fill('the password of vic');
  await page.getByRole('button', { name: 'Save and go on' }).click();
  await away(page);
  await go('/alerts/silences');
  const silence = page.getByRole('button', { name: 'New silence' });
  await silence.focus();
  await page.getByText('This needs the role editor; yours is viewer. Ask an admin.').waitFor();
  await picture(page, 'viewer');
  await silence.click({ force: true });
  assert.equal(await page.getByRole('dialog').count(), 0);
  await clean();
  await page.getByRole('button', { name: 'User menu' }).click();
  await page.getByRole('menuitem', { name: 'Password and sessions' }).waitFor();
  assert.equal(await page.getByRole('menuitem', { name: 'Users' }).count(), 0);
  await picture(page, 'viewer-menu');
  await page.keyboard.press('Escape');
  // Places of admins are none of a viewer's.
  await go('/settings/users');
  await page.waitForURL(`${server.url}/settings`);
  await page.getByRole('heading', { name: 'Your sessions' }).waitFor();
  await picture(page, 'account');
  await clean();
  // Explore asks by POST, which carries the token of the session.
  await go('/explore?logs=%7Bapp%3D%22churn%22%7D');
  await page.getByText('scored').first().waitFor();
  await clean();

  const row = admin.page.getByRole('row').filter({ hasText: 'vic' });
  await row.getByRole('button', { name: 'Actions for vic' }).click();
  await admin.page.getByRole('menuitem', { name: 'Change role' }).click();
  await admin.page.getByRole('dialog').getByLabel('editor', { exact: true }).check();
  await admin.page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
  await row.getByText('editor').waitFor();
  await go('/alerts/silences?new=1');
  const form = page.getByRole('dialog');
  assert.equal(await form.getByLabel('Your name').inputValue(), 'vic');
  await form.getByLabel('Label', { exact: true }).first().fill('app');
  await form.getByLabel('Value', { exact: true }).fill('churn');
  await form.getByLabel('Reason').fill('a test');
  await form.getByRole('button', { name: 'Create' }).click();
  await form.waitFor({ state: 'detached' });
  await page.getByText('a test').waitFor();

  // Log out, by the palette; the way back is closed.
  await page.keyboard.press('Control+k');
  await page.getByRole('combobox').fill('log out');
  await page.getByRole('option', { name: 'Log out' }).waitFor();
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Log in' }).waitFor();
  await page.goBack();
  await page.getByRole('heading', { name: 'Log in' }).waitFor();
  await close();
  await admin.close();
});

test('OpenID Connect has a button, and its users no password here', async () => {
  const { page, go, close } = await browser.open();
  await go('/alerts/rules?x=y');
  await page.getByRole('link', { name: 'Log in with Example' }).click();
  await page.waitForURL(`${server.url}/alerts/rules?x=y`);
  await go('/settings');
  await page.getByText('ann@example.org').first().waitFor();
  await page.getByText('Change it there.').waitFor();
  await go('/login?error=no_role');
  await page.waitForURL(`${server.url}/`); // Somebody is logged in.
  await page.context().clearCookies();
  await go('/login?error=no_role');
  await page.getByRole('alert').getByText('None of your groups has a role here.').waitFor();
  await close();
});

for (const look of [
  { scheme: 'dark', locale: 'en', width: 1280 },
  { scheme: 'light', locale: 'zh-CN', width: 390, height: 844 },
  { scheme: 'dark', locale: 'zh-CN', width: 390, height: 844 },
]) {
  const name = `${look.scheme}-${look.locale}-${look.width}`;
  test(`log-in and settings are clean: ${name}`, async () => {
    const { page, go, clean, settled, close } = await browser.open(look);
    await go('/settings/audit');
    await page.locator('input[name=username]').waitFor();
    await clean();
    await picture(page, `login-${name}`);
    await page.locator('input[name=username]').fill('admin');
    await page.locator('input[name=password]').fill(adminPassword);
    await page.keyboard.press('Enter');
    await page.waitForURL(`${server.url}/settings/audit`);
    for (const section of ['audit', 'tokens', 'users', '']) {
      await go(`/settings/${section}`);
      await settled();
      await page.getByRole('tabpanel').waitFor();
      await clean();
      await picture(page, `${section || 'account'}-${name}`);
    }
    await close();
  });
}
