// What this process is, keeps and was told.
import { useQuery } from '@tanstack/react-query';
import { ask, askProm } from './client';
import { usePoll } from './poll';

interface Stat {
  name: string;
  value: number;
}

export interface Cardinality {
  headStats: { numSeries: number; numLabelPairs: number; chunkCount: number; minTime: number; maxTime: number };
  seriesCountByMetricName: Stat[];
  labelValueCountByLabelName: Stat[];
  memoryInBytesByLabelName: Stat[];
  seriesCountByLabelValuePair: Stat[];
}

export function useCardinality(limit: number) {
  return usePoll(
    ['cardinality', limit],
    async (signal) => (await askProm<Cardinality>('api/v1/status/tsdb', { params: { limit }, signal })).data,
    { atMost: 30_000 },
  );
}

export interface Block {
  ulid: string;
  minTime: number;
  maxTime: number;
  stats?: { numSamples?: number; numSeries?: number; numChunks?: number };
  compaction?: { level?: number };
}

export function useBlocks() {
  return usePoll(
    ['blocks'],
    async (signal) =>
      (await askProm<{ blocks: Block[] | null }>('api/v1/status/tsdb/blocks', { signal })).data.blocks ?? [],
    { atMost: 30_000 },
  );
}

export interface Runtime {
  startTime: string;
  CWD: string;
  hostname?: string;
  reloadConfigSuccess: boolean;
  lastConfigTime: string;
  corruptionCount: number;
  goroutineCount: number;
  GOMAXPROCS: number;
  GOMEMLIMIT: number;
  storageRetention: string;
}

export function useRuntime() {
  return usePoll(['runtime'], async (signal) => (await askProm<Runtime>('api/v1/status/runtimeinfo', { signal })).data);
}

export interface Build {
  version: string;
  revision: string;
  branch: string;
  buildDate: string;
  goVersion: string;
}

export function useBuild() {
  return useQuery({
    queryKey: ['build'],
    queryFn: async ({ signal }) => (await askProm<Build>('api/v1/status/buildinfo', { signal })).data,
  });
}

export function useFlags() {
  return useQuery({
    queryKey: ['flags'],
    queryFn: async ({ signal }) => (await askProm<Record<string, string>>('api/v1/status/flags', { signal })).data,
  });
}

/** useScrapeConfig is the configuration in force, as Prometheus writes it, without secrets. */
export function useScrapeConfig() {
  return useQuery({
    queryKey: ['config', 'scrape'],
    queryFn: async ({ signal }) => (await askProm<{ yaml: string }>('api/v1/status/config', { signal })).data.yaml,
  });
}

/** useAlertConfig is the configuration of alerting in force, without secrets. */
export function useAlertConfig() {
  return useQuery({
    queryKey: ['config', 'alert'],
    queryFn: async ({ signal }) =>
      (await ask<{ config: { original: string } }>('api/v2/status', { signal })).config.original,
  });
}
