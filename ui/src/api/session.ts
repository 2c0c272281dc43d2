// Who asks, and the token that every change must carry. Below the queries, since all of them go through it.
import { at, base } from '../lib/base';

export type Role = 'viewer' | 'editor' | 'admin';
export type TokenRole = Role | 'ingest';

export interface Account {
  id?: string;
  name: string;
  role: Role;
  source: string;
  mustChangePassword: boolean;
  disabled: boolean;
  created?: string;
  lastLogin?: string;
}

/** Me is who the server takes this browser for. With authentication off everybody is an admin without a name. */
export interface Me {
  authEnabled: boolean;
  user: Account | null;
  role?: Role;
  kind?: string;
  csrfToken?: string;
  mustChangePassword: boolean;
  expires?: string;
  minPasswordLength: number;
  oidc?: { name: string; path: string };
}

let token: string | undefined;
let asked: Promise<Me> | undefined;

/** take keeps the token of an answer. */
export function take(me: Me): Me {
  token = me.csrfToken ?? '';
  return me;
}

/** readMe asks who this is. Those who ask at once share an answer. */
export function readMe(): Promise<Me> {
  asked ??= (async () => {
    const answer = await fetch(at('ai/v1/auth/me'), { headers: { Accept: 'application/json' } });
    if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
    return take((await answer.json()) as Me);
  })().finally(() => {
    asked = undefined;
  });
  return asked;
}

/** changeHeaders are what a request that changes something must carry. */
export async function changeHeaders(): Promise<Record<string, string>> {
  if (token === undefined) await readMe().catch(() => {}); // The request itself will say what is wrong.
  return token ? { 'X-CSRF-Token': token } : {};
}

const harmless = (method: string | undefined) => !method || method === 'GET' || method === 'HEAD';

/**
 * send is fetch for paths of the server. A change carries the session's token; where another tab has logged in anew, the
 * token is read again. A session that has ended leads to the page of log-in.
 */
export async function send(path: string, init: RequestInit): Promise<Response> {
  const go = async () =>
    fetch(
      at(path),
      harmless(init.method) ? init : { ...init, headers: { ...init.headers, ...(await changeHeaders()) } },
    );
  let answer = await go();
  if (answer.status === 403 && (await code(answer)) === 'csrf') {
    await readMe().catch(() => {});
    answer = await go();
  }
  await leaveIfOver(answer.status, () => code(answer));
  return answer;
}

/** leaveIfOver goes to the page of log-in where an answer says that nothing else is possible. */
export async function leaveIfOver(status: number, say: () => Promise<string | undefined>) {
  if (status !== 401 && status !== 403) return;
  const why = await say();
  if (why === 'unauthorized') toLogin('expired');
  if (why === 'password_change_required') toLogin('change');
}

async function code(answer: Response): Promise<string | undefined> {
  try {
    return ((await answer.clone().json()) as { code?: string }).code;
  } catch {
    return undefined;
  }
}

let leaving = false;

/** toLogin leaves for the page of log-in, which leads back to where this is now. */
export function toLogin(flag?: 'expired' | 'change') {
  const here = `/${location.pathname.slice(base.length)}`;
  if (leaving || here === '/login') return;
  leaving = true;
  const query = new URLSearchParams();
  const next = here + location.search + location.hash;
  if (next !== '/') query.set('next', next);
  if (flag) query.set(flag, '1');
  location.assign(at(`login${query.size ? `?${query}` : ''}`));
}

/** safeNext is a path of these pages to go to after log-in; anything else is the first page. */
export function safeNext(next: string | null): string {
  if (!next?.startsWith('/') || /[\s\\]/.test(next)) return '/';
  const there = new URL(next, 'http://here.invalid');
  if (there.host !== 'here.invalid' || there.pathname.startsWith('//') || there.pathname === '/login') return '/';
  return there.pathname + there.search + there.hash;
}
