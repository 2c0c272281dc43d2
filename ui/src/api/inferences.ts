// Raw inferences, newest first.
import { useQuery } from '@tanstack/react-query';
import { useTime } from '../lib/time';
import { ask } from './client';
import { useKeptOne } from './kept';
import type { components } from './schema.gen';

export type Inference = components['schemas']['StoredInference'];

export interface InferenceFilter {
  service: string;
  model: string;
  version: string;
  errors: boolean;
  endpoint: string;
  request_id: string;
  limit: number;
}

export function useInferences(filter: InferenceFilter) {
  const { from, to, range } = useTime();
  const same = JSON.stringify(filter);
  const answer = useQuery({
    queryKey: ['inferences', same, from, to],
    queryFn: async ({ signal }) => {
      const { inferences } = await ask<components['schemas']['StoredInferences']>('ai/v1/inferences', {
        params: {
          service: filter.service,
          model: filter.model,
          version: filter.version,
          errors: filter.errors || undefined,
          endpoint: filter.endpoint || undefined,
          request_id: filter.request_id || undefined,
          limit: filter.limit,
          since: from / 1000,
          until: to / 1000,
        },
        signal,
      });
      return inferences;
    },
    placeholderData: (old, before) => (before?.queryKey[1] === same ? old : undefined),
    gcTime: 10_000,
  });
  return useKeptOne(JSON.stringify([same, range]), answer);
}
