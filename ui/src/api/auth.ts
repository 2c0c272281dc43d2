// Users, sessions, tokens, and who changed what.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { ask } from './client';
import { type Account, type Me, type Role, readMe, type TokenRole, take } from './session';

/** useMe is who the server takes this browser for. A role that was changed shows within a minute. */
export function useMe() {
  return useQuery({ queryKey: ['me'], queryFn: readMe, staleTime: 50_000, refetchInterval: 60_000 });
}

export const login = async (user: string, password: string): Promise<Me> =>
  take(await ask<Me>('ai/v1/auth/login', { body: { user, password } }));

export const logout = (): Promise<void> => ask<void>('ai/v1/auth/logout', { method: 'POST' });

export const changePassword = async (current: string, next: string): Promise<Me> =>
  take(await ask<Me>('ai/v1/auth/password', { body: { current, new: next } }));

export interface Session {
  id: string;
  current: boolean;
  method: string;
  address?: string;
  userAgent?: string;
  created: string;
  lastSeen: string;
  expires: string;
}

export function useSessions() {
  return useQuery({
    queryKey: ['auth', 'sessions'],
    queryFn: async ({ signal }) => (await ask<{ sessions: Session[] }>('ai/v1/auth/sessions', { signal })).sessions,
  });
}

export function useUsers() {
  return useQuery({
    queryKey: ['auth', 'users'],
    queryFn: async ({ signal }) => (await ask<{ users: Account[] }>('ai/v1/auth/users', { signal })).users,
  });
}

export interface Token {
  id: string;
  name: string;
  role: TokenRole;
  start: string;
  createdBy: string;
  created: string;
  expires?: string;
  expired: boolean;
  lastUsed?: string;
}

export function useTokens() {
  return useQuery({
    queryKey: ['auth', 'tokens'],
    queryFn: async ({ signal }) => (await ask<{ tokens: Token[] }>('ai/v1/auth/tokens', { signal })).tokens,
  });
}

export interface AuditEvent {
  seq: number;
  time: string;
  who: string;
  role?: string;
  kind?: string;
  address?: string;
  method?: string;
  path?: string;
  query?: string;
  action?: string;
  /** Absent where the process ended before the answer. */
  status?: number;
}

/** useAudit reads a page of the log, newest first, from before an event on. */
export function useAudit(before: string) {
  return useQuery({
    queryKey: ['auth', 'audit', before],
    queryFn: ({ signal }) =>
      ask<{ events: AuditEvent[]; next?: number }>('ai/v1/auth/audit', {
        params: { limit: 50, before: before || undefined },
        signal,
      }),
    placeholderData: (old) => old,
  });
}

/** useAuthChange runs a change and reads again what it may have changed. */
function useAuthChange<In, Out>(run: (input: In) => Promise<Out>) {
  const client = useQueryClient();
  return useMutation({ mutationFn: run, onSuccess: () => client.invalidateQueries({ queryKey: ['auth'] }) });
}

/** WithPassword is a user, with the password that was made for it, shown this once. */
export type WithPassword = Account & { password?: string };

export const useAddUser = () =>
  useAuthChange((u: { name: string; role: Role }) => ask<WithPassword>('ai/v1/auth/users', { body: u }));

const of = (id: string) => `ai/v1/auth/users/${encodeURIComponent(id)}`;

export const useEditUser = () =>
  useAuthChange(({ id, ...change }: { id: string; role?: Role; disabled?: boolean; resetPassword?: boolean }) =>
    ask<WithPassword>(of(id), { method: 'PATCH', body: change }),
  );

export const useDeleteUser = () => useAuthChange((id: string) => ask<void>(of(id), { method: 'DELETE' }));

export const useLogOutUser = () =>
  useAuthChange((id: string) => ask<{ ended: number }>(`${of(id)}/sessions`, { method: 'DELETE' }));

/** useEndSession ends one session, or all others where the id is empty. */
export const useEndSession = () =>
  useAuthChange((id: string) =>
    ask<void>(`ai/v1/auth/sessions${id ? `/${encodeURIComponent(id)}` : ''}`, { method: 'DELETE' }),
  );

export const useAddToken = () =>
  useAuthChange((t: { name: string; role: TokenRole; ttl: string }) =>
    ask<Token & { token: string }>('ai/v1/auth/tokens', { body: t }),
  );

export const useRevokeToken = () =>
  useAuthChange((id: string) => ask<void>(`ai/v1/auth/tokens/${encodeURIComponent(id)}`, { method: 'DELETE' }));
