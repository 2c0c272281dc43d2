import { SimpleGrid, Stack, Text } from '@mantine/core';
import { lazy, Suspense } from 'react';
import { type Measure, useVersion, type Version } from '../../api/models';
import { useRange, useRanges } from '../../api/series';
import { Figure } from '../../components/Figure';
import { Panel } from '../../components/Panel';
import { RangeChart } from '../../components/RangeChart';
import { Rows } from '../../components/Rows';
import { Await } from '../../components/states';
import { useFormat } from '../../lib/format';
import { stepFor } from '../../lib/range';
import { sayOfModels } from '../../lib/saidOfModels';
import { useTime } from '../../lib/time';
import { useWords } from '../../lib/words';
import type { TabProps } from '.';
import { joinRanges } from './join';
import { matchers, type Subject } from './subject';
import { serviceWords } from './words';
import { useAwaited } from './Young';

const Heatmap = lazy(() => import('../../components/Heatmap').then((m) => ({ default: m.Heatmap })));

/** Colours of outcomes are those of states: what failed by the service's fault is red. */
const outcomeColor: Record<string, string> = {
  ok: '#3d8f63',
  client: '#96700a',
  cancelled: '#8a949d',
  overload: '#c2571a',
  timeout: '#b8336a',
  server: '#c0392f',
  other: '#8147ab',
};

/** How many columns the map of latencies has at most. */
const heatPoints = 110;

/** useRateWindow is how far rate() looks back: at least two windows, and never less than a step. */
export function useRateWindow(): string {
  const { from, to } = useTime();
  return `${Math.max(120, stepFor(from, to) * 2)}s`;
}

export default function Traffic({ subject, first }: TabProps) {
  const t = useWords(serviceWords);
  const f = useFormat();
  const version = useVersion(subject.service, subject.model, subject.version);
  const w = useRateWindow();
  const awaited = useAwaited(first);
  const by = useRange(`sum by (outcome) (rate(${matchers(subject, {}, 'modelwatch_inferences_total')}[${w}]))`);
  const bucket = matchers(subject, { result: 'success' }, 'modelwatch_inference_duration_seconds_bucket');
  const quantiles = useRanges(
    [0.5, 0.95, 0.99].map((q) => `histogram_quantile(${q}, sum by (le) (rate(${bucket}[${w}])))`),
  );
  const latency = joinRanges(quantiles, ['0.5', '0.95', '0.99'], 'quantile');
  const outcome = (o: string | undefined) => t[(o ?? 'other') as 'ok'] ?? o ?? '';
  return (
    <Stack gap="sm">
      <Await query={version} height={56}>
        {(v) => <Now v={v} />}
      </Await>
      <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="sm">
        <Panel title={t.rate}>
          <RangeChart
            query={by}
            label={t.rate}
            unit="rate"
            empty={awaited}
            name={(l) => outcome(l.outcome)}
            color={(l) => outcomeColor[l.outcome ?? '']}
            sync="traffic"
          />
        </Panel>
        <Panel title={t.latency}>
          <RangeChart
            query={latency}
            label={t.latency}
            unit="seconds"
            empty={awaited}
            name={(l) => t.quantile(f.ratio(Number(l.quantile)))}
            sync="traffic"
          />
        </Panel>
        <LatencyHeat subject={subject} window={w} first={first} />
        <Panel title={t.errors} flush>
          <Await query={version} height={80}>
            {(v) => <Errors v={v} />}
          </Await>
        </Panel>
      </SimpleGrid>
      <Panel title={t.endpoints} flush>
        <Await query={version} height={80}>
          {(v) => <Endpoints v={v} />}
        </Await>
      </Panel>
    </Stack>
  );
}

function Now({ v }: { v: Version }) {
  const t = useWords(serviceWords);
  const f = useFormat();
  const s = v.performance?.summary;
  if (!s) return null;
  const show = (label: string, m: Measure, write: (x: number) => string) =>
    m.value === null ? null : (
      <Figure
        key={label}
        label={label}
        value={write(m.value)}
        hint={m.low !== null && m.high !== null ? t.interval(write(m.low), write(m.high)) : undefined}
      />
    );
  return (
    <div className="mw-figures">
      {show(t.perSecond, s.rate, f.rate)}
      {show(t.errorRatio, s.error_ratio, f.ratio)}
      {show(t.median, s.latency_p50_seconds, f.seconds)}
      {show(t.p95, s.latency_p95_seconds, f.seconds)}
      {show(t.p99, s.latency_p99_seconds, f.seconds)}
      {show(t.firstToken, s.first_token_p95_seconds, f.seconds)}
      {show(t.tokenRate, s.token_rate_p50, f.rate)}
      {show(t.throughput, s.token_throughput, f.rate)}
    </div>
  );
}

function Errors({ v }: { v: Version }) {
  const t = useWords(serviceWords);
  const f = useFormat();
  const list = Object.entries(v.performance?.errors ?? {}).sort((a, b) => b[1] - a[1]);
  if (list.length === 0) {
    return (
      <Text size="sm" c="dimmed" px="sm" pb="sm">
        {t.noErrors}
      </Text>
    );
  }
  return (
    <Rows
      label={t.errors}
      rows={list}
      rowKey={(e) => e[0]}
      columns={[
        { id: 'error', title: t.error, width: 'minmax(0, 1fr)', cell: (e) => <span className="mw-mono">{e[0]}</span> },
        { id: 'n', title: t.requests, width: '6rem', align: 'right', cell: (e) => f.count(e[1]) },
      ]}
    />
  );
}

function Endpoints({ v }: { v: Version }) {
  const t = useWords(serviceWords);
  const f = useFormat();
  const figure = (m: Measure | undefined, write: (x: number) => string) =>
    m && m.value !== null ? write(m.value) : <span title={sayOfModels(m?.reason ?? '', f)}>–</span>;
  return (
    <Rows
      label={t.endpoints}
      short
      rows={v.endpoints}
      rowKey={(e) => e.endpoint}
      columns={[
        {
          id: 'e',
          title: t.endpoint,
          width: 'minmax(0, 1fr)',
          cell: (e) => <span className="mw-mono">{e.endpoint || '–'}</span>,
        },
        { id: 'rate', title: t.perSecond, width: '6rem', align: 'right', cell: (e) => figure(e.lately?.rate, f.rate) },
        {
          id: 'failed',
          title: t.failed,
          width: '5rem',
          align: 'right',
          cell: (e) => figure(e.lately?.error_ratio, f.ratio),
        },
        {
          id: 'p50',
          title: t.median,
          width: '5rem',
          align: 'right',
          cell: (e) => figure(e.lately?.latency_p50_seconds, f.seconds),
        },
        {
          id: 'p95',
          title: t.p95,
          width: '5rem',
          align: 'right',
          cell: (e) => figure(e.lately?.latency_p95_seconds, f.seconds),
        },
        { id: 'total', title: t.total, width: '8rem', align: 'right', cell: (e) => f.count(e.total) },
      ]}
    />
  );
}

function LatencyHeat({ subject, window, first }: { subject: Subject; window: string; first?: string }) {
  const t = useWords(serviceWords);
  const f = useFormat();
  const { from, to } = useTime();
  const query = useRange(
    `sum by (le) (increase(${matchers(subject, { result: 'success' }, 'modelwatch_inference_duration_seconds_bucket')}[${window}]))`,
    { step: stepFor(from, to, heatPoints) },
  );
  const empty = useAwaited(first, heatPoints);
  return (
    <Panel title={t.latencyHeat}>
      <Await query={query} height={190}>
        {(m) => (
          <Suspense fallback={<div style={{ height: 190 }} aria-busy />}>
            <Heatmap matrix={m} label={t.latencyHeat} height={190} edge={f.seconds} empty={empty} />
          </Suspense>
        )}
      </Await>
    </Panel>
  );
}
