// Requests to the server, and what went wrong with them.
import { QueryClient } from '@tanstack/react-query';
import { send as dispatch, type Role } from './session';

/** ApiError says what the server answered instead of data. Status 0 is no answer at all. */
export class ApiError extends Error {
  readonly status: number;
  /** The kind of refusal, such as role, and what role it takes. */
  readonly code?: string;
  readonly role?: Role;
  /** Seconds to wait before the next try, where the server says so. */
  readonly wait?: number;
  /** What was answered, where it was JSON. */
  readonly body?: unknown;
  constructor(status: number, message: string, more: Pick<ApiError, 'code' | 'role' | 'wait' | 'body'> = {}) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.code = more.code;
    this.role = more.role;
    this.wait = more.wait;
    this.body = more.body;
  }
}

/** isGone tells whether there was no answer at all: the server is down, or out of reach. */
export function isGone(error: unknown): boolean {
  return error instanceof ApiError && error.status === 0;
}

export type Params = Record<string, string | number | boolean | string[] | undefined>;

export interface Ask {
  params?: Params;
  signal?: AbortSignal;
  method?: string;
  /** Sent as JSON. */
  body?: unknown;
  /** Sent as a form, for long queries. */
  form?: Params;
}

function encode(params: Params): URLSearchParams {
  const out = new URLSearchParams();
  for (const [k, v] of Object.entries(params)) {
    if (v === undefined) continue;
    for (const one of Array.isArray(v) ? v : [v]) out.append(k, String(one));
  }
  return out;
}

async function send(path: string, ask: Ask): Promise<Response> {
  const query = ask.params ? encode(ask.params).toString() : '';
  let body: BodyInit | undefined;
  const headers: Record<string, string> = { Accept: 'application/json' };
  if (ask.form) body = encode(ask.form);
  else if (ask.body !== undefined) {
    body = JSON.stringify(ask.body);
    headers['Content-Type'] = 'application/json';
  }
  let answer: Response;
  try {
    answer = await dispatch(path + (query ? `?${query}` : ''), {
      method: ask.method ?? (body ? 'POST' : 'GET'),
      headers,
      body,
      signal: ask.signal,
    });
  } catch (err) {
    if (err instanceof DOMException && err.name === 'AbortError') throw err;
    throw new ApiError(0, err instanceof Error ? err.message : String(err));
  }
  if (!answer.ok) throw await failure(answer);
  return answer;
}

/** failure is what an answer that is not one says. */
export async function failure(answer: Response): Promise<ApiError> {
  const text = (await answer.text()).trim();
  const wait = Number(answer.headers.get('Retry-After')) || undefined;
  let more: { code?: string; role?: Role; body?: unknown } = {};
  try {
    const body: unknown = JSON.parse(text);
    more = { body };
    const { code, role } = body as { code?: unknown; role?: Role };
    if (typeof code === 'string') more = { code, role, body };
  } catch {
    // Not JSON: there is only the text.
  }
  return new ApiError(answer.status, reason(text) || `${answer.status} ${answer.statusText}`, { ...more, wait });
}

/** reason finds the message in what the three families of APIs answer. */
function reason(text: string): string {
  try {
    const json: unknown = JSON.parse(text);
    if (typeof json === 'string') return json;
    const { error, message } = json as { error?: unknown; message?: unknown };
    if (typeof error === 'string') return error;
    if (typeof message === 'string') return message;
  } catch {
    // Not JSON: the text is the message.
  }
  // A page of a proxy says nothing that a reader here could use.
  if (text.startsWith('<')) return '';
  return text.slice(0, 2000);
}

/** ask gets JSON. */
export async function ask<T>(path: string, options: Ask = {}): Promise<T> {
  const answer = await send(path, options);
  if (answer.status === 204) return undefined as T;
  const text = await answer.text();
  return (text ? JSON.parse(text) : undefined) as T;
}

/** askText gets text. */
export async function askText(path: string, options: Ask = {}): Promise<string> {
  return (await send(path, { ...options })).text();
}

/** askProm gets the data out of Prometheus's and Loki's envelope, with its warnings. */
export async function askProm<T>(path: string, options: Ask = {}): Promise<{ data: T; warnings: string[] }> {
  const out = await ask<{ status: string; data: T; error?: string; warnings?: string[]; infos?: string[] }>(
    path,
    options,
  );
  if (out.status !== 'success') throw new ApiError(200, out.error ?? 'the answer has no data');
  return { data: out.data, warnings: [...(out.warnings ?? []), ...(out.infos ?? [])] };
}

/** makeClient sets how long answers are kept. Old data stays shown while newer is fetched. */
export function makeClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 2000,
        gcTime: 60_000,
        refetchOnWindowFocus: false,
        retry: (failures, err) => !(err instanceof ApiError && err.status >= 400 && err.status < 500) && failures < 1,
        retryDelay: 800,
      },
    },
  });
}
