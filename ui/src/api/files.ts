// Configuration files: what they say, what they said, and changing them.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { ApiError, ask } from './client';
import type { components } from './schema.gen';

type Schemas = components['schemas'];
export type ConfigFile = Schemas['ConfigFile'];
export type ConfigText = Schemas['ConfigText'];
export type ConfigProblem = Schemas['ConfigProblem'];
export type ConfigVersion = Schemas['ConfigVersion'];
export type ConfigSchema = Schemas['ConfigSchema'];
export type RulePreview = Schemas['RulePreview'];
export type ConfigPlace = Schemas['ConfigPlace'];
export type FileKind = ConfigFile['kind'];

/** leastRole may change files of a kind, where there are roles. */
export function leastRole(kind: FileKind) {
  return kind === 'modelwatch' || kind === 'promtail' ? 'admin' : 'editor';
}

const files = 'ai/v1/config/files';

const list = {
  queryKey: ['config', 'files'],
  queryFn: ({ signal }: { signal: AbortSignal }) => ask<Schemas['ConfigFiles']>(files, { signal }),
  staleTime: 20_000,
};

export function useConfigFiles() {
  return useQuery({ ...list, select: (all) => all.files });
}

/** useConfigPlaces lists the directories in which new rule files would be taken over. */
export function useConfigPlaces() {
  return useQuery({ ...list, select: (all) => all.places });
}

export interface NewFile {
  directory: string;
  name: string;
  text: string;
}

/** useNewFileCheck asks what is wrong with a rule file that is to be made; undefined asks nothing. */
export function useNewFileCheck(file: NewFile | undefined) {
  return useQuery({
    queryKey: ['config', 'check', 'new', file],
    queryFn: ({ signal }) => ask<Schemas['ConfigCheck']>(`${files}/check`, { body: file, signal }),
    enabled: file !== undefined,
    gcTime: 0,
    retry: false,
  });
}

/** useCreate makes a rule file; what depends on it is asked anew. */
export function useCreate() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: NewFile & { comment: string }) => ask<ConfigText>(files, { body }),
    // A file that is there can no longer be made: its draft is not checked again.
    onSuccess: () =>
      void client.invalidateQueries({ predicate: (q) => !(q.queryKey[0] === 'config' && q.queryKey[1] === 'check') }),
  });
}

/** useConfigFile reads a file once: under a text that is being edited nothing may change by itself. */
export function useConfigFile(id: string) {
  return useQuery({
    queryKey: ['config', 'file', id],
    queryFn: ({ signal }) => ask<ConfigText>(`${files}/${id}`, { signal }),
    staleTime: 0,
    gcTime: 0,
  });
}

/** useConfigCheck asks what is wrong with a draft; undefined asks nothing. A newer draft ends the question. */
export function useConfigCheck(id: string, draft: string | undefined) {
  return useQuery({
    queryKey: ['config', 'check', id, draft],
    queryFn: ({ signal }) => ask<Schemas['ConfigCheck']>(`${files}/${id}/check`, { body: { text: draft }, signal }),
    enabled: draft !== undefined,
    gcTime: 0,
    retry: false,
  });
}

export function useConfigVersions(id: string) {
  return useQuery({
    queryKey: ['config', 'versions', id],
    queryFn: async ({ signal }) =>
      (await ask<Schemas['ConfigVersions']>(`${files}/${id}/versions`, { signal })).versions,
  });
}

export function useConfigVersion(id: string, version: number) {
  return useQuery({
    queryKey: ['config', 'version', id, version],
    queryFn: ({ signal }) => ask<ConfigVersion>(`${files}/${id}/versions/${version}`, { signal }),
    staleTime: Number.POSITIVE_INFINITY,
  });
}

export function useConfigSchema(kind: FileKind, enabled: boolean) {
  return useQuery({
    queryKey: ['config', 'schema', kind],
    queryFn: ({ signal }) => ask<ConfigSchema>(`ai/v1/config/schema/${kind}`, { signal }),
    enabled: enabled && kind !== 'template',
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  });
}

interface Save {
  text: string;
  tag: string;
  comment: string;
}

/** useSave writes a file; what depends on it is asked anew. */
export function useSave(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: Save) => ask<ConfigText>(`${files}/${id}`, { method: 'PUT', body }),
    onSuccess: (text) => {
      client.setQueryData(['config', 'file', id], text);
      void client.invalidateQueries({ predicate: (q) => !(q.queryKey[0] === 'config' && q.queryKey[1] === 'file') });
    },
  });
}

export function useRestore(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ version, ...body }: { version: number; tag: string; comment: string }) =>
      ask<ConfigText>(`${files}/${id}/versions/${version}/restore`, { body }),
    onSuccess: (text) => {
      client.setQueryData(['config', 'file', id], text);
      void client.invalidateQueries({ predicate: (q) => !(q.queryKey[0] === 'config' && q.queryKey[1] === 'file') });
    },
  });
}

/** conflictOf is the file as it is now, where saving failed because it is not what was read. */
export function conflictOf(error: unknown): ConfigText | undefined {
  return error instanceof ApiError && error.status === 409
    ? (error.body as Schemas['FileConflict'] | undefined)?.current
    : undefined;
}

export interface PreviewAsked {
  expr: string;
  for: string;
  keepFiringFor?: string;
  range: string;
}

/** useRulePreview asks when a rule would have fired. Another question ends the one before. */
export function useRulePreview(asked: PreviewAsked | undefined) {
  return useQuery({
    queryKey: ['preview', asked],
    queryFn: ({ signal }) => ask<RulePreview>('ai/v1/alerting/preview', { body: asked, signal }),
    enabled: asked !== undefined,
    staleTime: 30_000,
    gcTime: 60_000,
    retry: false,
  });
}
