import { afterEach, beforeEach, expect, test, vi } from 'vitest';

// The module reads where it is from the document.
beforeEach(() => {
  vi.resetModules();
  vi.stubGlobal('document', { baseURI: 'http://watch.test/mw/' });
});
afterEach(() => vi.unstubAllGlobals());

const json = (status: number, body: unknown) => new Response(JSON.stringify(body), { status });

test('only a path of these pages follows a log-in', async () => {
  const { safeNext } = await import('./session');
  expect(safeNext('/alerts?state=firing#x')).toBe('/alerts?state=firing#x');
  for (const bad of [
    null,
    '',
    'alerts',
    '//evil.test',
    '/\\evil.test',
    '/\t/evil.test',
    'https://evil.test/',
    'javascript:alert(1)',
    '/login?next=/login',
    '/..//evil.test',
  ])
    expect(safeNext(bad), String(bad)).toBe('/');
});

test('a change carries the token, and reads it anew where it has become old', async () => {
  const tokens = ['old', 'new'];
  const sent: [string, string | undefined][] = [];
  vi.stubGlobal('fetch', async (url: string, init: RequestInit) => {
    if (url.endsWith('auth/me')) return json(200, { csrfToken: tokens.shift() });
    const got = (init.headers as Record<string, string>)?.['X-CSRF-Token'];
    sent.push([url, got]);
    return init.method === 'GET' || got === 'new' ? json(200, {}) : json(403, { code: 'csrf' });
  });
  const { send } = await import('./session');
  expect((await send('a', { method: 'GET' })).status).toBe(200);
  expect((await send('b', { method: 'DELETE' })).status).toBe(200);
  expect(sent).toEqual([
    ['/mw/a', undefined],
    ['/mw/b', 'old'],
    ['/mw/b', 'new'],
  ]);
});

test('a session that has ended leads to the log-in and back, once', async () => {
  const assign = vi.fn();
  vi.stubGlobal('location', { pathname: '/mw/alerts/rules', search: '?a=b', hash: '#c', assign });
  vi.stubGlobal('fetch', async () => json(401, { code: 'unauthorized' }));
  const { send } = await import('./session');
  await Promise.all([send('a', {}), send('b', {})]);
  expect(assign.mock.calls).toEqual([['/mw/login?next=%2Falerts%2Frules%3Fa%3Db%23c&expired=1']]);
});

test('an answer 401 of somebody else does not', async () => {
  const assign = vi.fn();
  vi.stubGlobal('location', { pathname: '/mw/', search: '', hash: '', assign });
  vi.stubGlobal('fetch', async () => new Response('no', { status: 401 }));
  const { send } = await import('./session');
  await send('a', {});
  expect(assign).not.toHaveBeenCalled();
});
