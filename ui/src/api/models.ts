// One model: its versions, their performance, features and drift.
import { useQuery } from '@tanstack/react-query';
import { useTime } from '../lib/time';
import { ask } from './client';
import { useKeptOne } from './kept';
import { usePoll } from './poll';
import type { components } from './schema.gen';

type Schemas = components['schemas'];

/** Measure is a figure with its 95 % interval; a null value is not known, and reason says why. */
export type Measure = Schemas['Measure'];
export type Comparison = Schemas['Comparison'];
export type Difference = Schemas['Difference'];
export type Summary = Schemas['Summary'];
export type Classification = Schemas['ClassificationReport'];
export type Regression = Schemas['RegressionReport'];
export type Accuracy = Schemas['Accuracy'];
export type Model = Schemas['Model'];
export type Version = Schemas['Version'];
export type Figures = Schemas['Figures'];
export type Feature = Schemas['Feature'];
export type Features = Schemas['Features'];
export type FeatureDetail = Schemas['FeatureDetail'];
export type Bin = Schemas['Bin'];
export type Drift = Schemas['Drift'];
export type DriftRow = Schemas['DriftRow'];

const path = (model: string, version: string) =>
  `ai/v1/models/${encodeURIComponent(model)}/versions/${encodeURIComponent(version)}`;

export function useModel(service: string, model: string) {
  return usePoll(
    ['model', service, model],
    (signal) => ask<Model>(`ai/v1/models/${encodeURIComponent(model)}`, { params: { service }, signal }),
    { enabled: model !== '' },
  );
}

export function useVersion(service: string, model: string, version: string, enabled = true) {
  return usePoll(
    ['version', service, model, version],
    (signal) => ask<Version>(path(model, version), { params: { service }, signal }),
    { enabled },
  );
}

export function useFeatures(service: string, model: string, version: string) {
  return usePoll(['features', service, model, version], (signal) =>
    ask<Features>(`${path(model, version)}/features`, { params: { service }, signal }),
  );
}

export function useFeature(service: string, model: string, version: string, feature: string) {
  return usePoll(
    ['feature', service, model, version, feature],
    (signal) =>
      ask<FeatureDetail>(`${path(model, version)}/features/${encodeURIComponent(feature)}`, {
        params: { service },
        signal,
      }),
    { enabled: feature !== '' },
  );
}

/** useDrift reads the verdicts of all features over the page's time range. */
export function useDrift(service: string, model: string, version: string) {
  const { from, to, range } = useTime();
  const same = `${service}\n${model}\n${version}`;
  const answer = useQuery({
    queryKey: ['drift', same, from, to],
    queryFn: ({ signal }) =>
      ask<Drift>('ai/v1/drift', {
        params: { service, model, version, since: from / 1000, until: to / 1000, limit: 300 },
        signal,
      }),
    placeholderData: (old, before) => (before?.queryKey[1] === same ? old : undefined),
    gcTime: 10_000,
  });
  return useKeptOne(JSON.stringify([same, range]), answer);
}
