// Raw inferences of two spans, judged by our rule and by that of another tool.
import { ask } from './client';
import type { components } from './schema.gen';

type Schemas = components['schemas'];
export type DriftComparison = Schemas['DriftComparison'];
export type DriftResult = Schemas['DriftComparisonResult'];

/** The other tools whose default rules can be asked for. */
export const otherTools = ['evidently', 'nannyml', 'whylogs'] as const;
export type OtherTool = (typeof otherTools)[number];

export interface DriftQuestion {
  service: string;
  model: string;
  version: string;
  tool: OtherTool;
  /** What is judged, in ms. */
  from: number;
  to: number;
  /** What it is judged against: a baseline by its id, a span in ms, or the baseline in use. */
  baseline?: string;
  before?: { from: number; to: number };
  /** About how many rows of each side are taken; undefined is all. */
  rows?: number;
}

/** compareDrift reads raw inferences, which can last minutes; ending the signal ends the work there too. */
export function compareDrift(q: DriftQuestion, signal: AbortSignal): Promise<DriftComparison> {
  return ask<DriftComparison>('ai/v1/drift/compare', {
    params: {
      service: q.service,
      model: q.model,
      version: q.version,
      preset: ['modelwatch', q.tool],
      since: q.from / 1000,
      until: q.to / 1000,
      baseline: q.baseline,
      baseline_since: q.before && q.before.from / 1000,
      baseline_until: q.before && q.before.to / 1000,
      rows: q.rows,
    },
    signal,
  });
}
