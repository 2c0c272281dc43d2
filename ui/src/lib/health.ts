// The states of a layer. Unknown is a state of its own, never healthy.
import {
  IconAlertTriangleFilled,
  IconCircleCheck,
  IconHelpCircle,
  IconSquareRoundedXFilled,
} from '@tabler/icons-react';
import type { components } from '../api/schema.gen';

export type Health = components['schemas']['Health'];

export const layers = ['service', 'model', 'data', 'resource'] as const;
export type Layer = components['schemas']['Layer'];

/** rank orders states by what to look at first, highest last: as the server's series do. */
export const rank: Record<Health, number> = { healthy: 0, unknown: 1, degraded: 2, down: 3 };

export function toHealth(text: string | undefined): Health {
  return text === 'healthy' || text === 'degraded' || text === 'down' ? text : 'unknown';
}

export function worst(states: Health[]): Health {
  return states.reduce<Health>((a, b) => (rank[b] > rank[a] ? b : a), states.length ? 'healthy' : 'unknown');
}

/** Shapes differ too, so that a state is told without colour. */
export const healthIcon = {
  healthy: IconCircleCheck,
  degraded: IconAlertTriangleFilled,
  down: IconSquareRoundedXFilled,
  unknown: IconHelpCircle,
} as const;
