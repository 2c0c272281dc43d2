// Scrape targets and how they were found.
import { useQuery } from '@tanstack/react-query';
import type { Labels } from '../lib/labels';
import { askProm } from './client';
import { usePoll } from './poll';

export interface Target {
  discoveredLabels: Labels;
  labels: Labels;
  scrapePool: string;
  scrapeUrl: string;
  globalUrl: string;
  lastError: string;
  lastScrape: string;
  /** Seconds. */
  lastScrapeDuration: number;
  health: 'up' | 'down' | 'unknown';
  scrapeInterval: string;
  scrapeTimeout: string;
}

export interface Dropped {
  discoveredLabels: Labels;
  scrapePool?: string;
}

export interface Targets {
  activeTargets: Target[];
  droppedTargets: Dropped[];
  droppedTargetCounts: Record<string, number>;
}

export function useTargets(state: 'active' | 'any' = 'active') {
  return usePoll(
    ['targets', state],
    async (signal) => (await askProm<Targets>('api/v1/targets', { params: { state }, signal })).data,
  );
}

export interface RelabelStep {
  rule: Record<string, unknown>;
  output: Labels;
  keep: boolean;
}

/** useRelabelSteps runs a job's relabelling on a target's discovered labels, step by step. */
export function useRelabelSteps(pool: string, labels: Labels, enabled: boolean) {
  return useQuery({
    queryKey: ['relabel', pool, labels],
    queryFn: async ({ signal }) =>
      (
        await askProm<{ steps: RelabelStep[] }>('api/v1/targets/relabel_steps', {
          params: { scrapePool: pool, labels: JSON.stringify(labels) },
          signal,
        })
      ).data.steps,
    enabled,
    staleTime: Number.POSITIVE_INFINITY,
  });
}
