// Alerts that fire now and are not silenced.
import type { Labels } from '../lib/labels';
import { ask } from './client';
import { usePoll } from './poll';

export interface FiringAlert {
  fingerprint: string;
  labels: Labels;
  annotations: Labels;
  startsAt: string;
}

const ranks: Record<string, number> = { critical: 3, page: 3, error: 2, warning: 1 };

/** useFiring lists what fires, the most severe first. */
export function useFiring() {
  return usePoll(['firing'], async (signal) => {
    const alerts = await ask<FiringAlert[]>('api/v2/alerts', {
      params: { active: true, silenced: false, inhibited: false },
      signal,
    });
    const rank = (a: FiringAlert) => ranks[a.labels.severity ?? ''] ?? 0;
    return alerts.sort((a, b) => rank(b) - rank(a) || a.startsAt.localeCompare(b.startsAt));
  });
}
