// AI services and their models, as modelwatch judges them.
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

/** useServices reads the state of every service. */
export function useServices() {
  return usePoll(['services'], (signal) => ask<Schemas['Services']>('ai/v1/services', { signal }));
}
