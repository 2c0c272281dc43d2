// AI services and their models, as modelwatch judges them.
import type { QueryClient } from '@tanstack/react-query';
import { ask } from './client';
import { usePoll } from './poll';
import type { components } from './schema.gen';

type Schemas = components['schemas'];

export type Verdict = Schemas['Verdict'];
export type Finding = Schemas['Finding'];
export type LayerState = Schemas['LayerState'];
export type WindowPoint = Schemas['Point'];
export type BaselineInfo = Schemas['Baseline'];
export type VersionSummary = Schemas['VersionSummary'];
export type ServiceState = Schemas['Service'];

const key = ['services'];
const read = (signal: AbortSignal) => ask<Schemas['Services']>('ai/v1/services', { signal });

/** useServices reads the state of every service. */
export function useServices() {
  return usePoll(key, read);
}

/** prefetchServices asks while the page that shows them is still being loaded. */
export function prefetchServices(client: QueryClient): void {
  void client.prefetchQuery({ queryKey: key, queryFn: ({ signal }) => read(signal) });
}
