import { SimpleGrid, Stack, Text } from '@mantine/core';
import { type Comparison, type Difference, type Measure, useVersion, type Version } from '../../api/models';
import { useRanges } from '../../api/series';
import { Panel } from '../../components/Panel';
import { RangeChart } from '../../components/RangeChart';
import { Rows } from '../../components/Rows';
import { StatusMark } from '../../components/StatusMark';
import { Await } from '../../components/states';
import { type Unit, useFormat } from '../../lib/format';
import type { Health } from '../../lib/health';
import { sayOfModels } from '../../lib/saidOfModels';
import { useWords } from '../../lib/words';
import type { TabProps } from '.';
import { joinRanges } from './join';
import { matchers, type Subject } from './subject';
import { useRateWindow } from './Traffic';
import { serviceWords } from './words';

export default function Compare({ subject, other }: TabProps) {
  const t = useWords(serviceWords);
  const mine = useVersion(subject.service, subject.model, subject.version);
  const theirs = useVersion(subject.service, subject.model, other, other !== '');
  if (!other) return <Text c="dimmed">{t.chooseOther}</Text>;
  return (
    <Await query={mine} height={300}>
      {(a) => (
        <Await query={theirs} height={300}>
          {(b) => (
            <Stack gap="sm">
              <Tested a={a} b={b} />
              <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="sm">
                <Figures a={a} b={b} />
                <Courses subject={subject} other={other} />
              </SimpleGrid>
            </Stack>
          )}
        </Await>
      )}
    </Await>
  );
}

const outcomeHealth: Record<Difference['outcome'], Health> = {
  better: 'healthy',
  same: 'healthy',
  worse: 'down',
  unknown: 'unknown',
};

/** Tested shows the differences that the server tested, where it set these two side by side. */
function Tested({ a, b }: { a: Version; b: Version }) {
  const t = useWords(serviceWords);
  const f = useFormat();
  const pair = (c: Comparison | null) =>
    c &&
    [c.older.model_version, c.newer.model_version].sort().join('\n') ===
      [a.model_version, b.model_version].sort().join('\n')
      ? c
      : null;
  const c = pair(a.comparison) ?? pair(b.comparison);
  if (!c) {
    return (
      <Text size="sm" c="dimmed">
        {t.noComparison}
      </Text>
    );
  }
  const outcomes = { better: t.outcomeBetter, same: t.outcomeSame, worse: t.outcomeWorse, unknown: t.outcomeUnknown };
  const write = (m: Measure, unit: string) =>
    m.value === null
      ? '–'
      : unit === 'seconds'
        ? f.seconds(m.value)
        : unit === 'ratio'
          ? f.ratio(m.value)
          : f.number(m.value);
  const name = (d: Difference) =>
    ({
      error_ratio: t.error_ratio,
      latency_mean: t.latency_mean,
      latency_p95: t.latency_p95,
      token_rate: t.token_rate,
      accuracy: t.accuracyName,
    })[d.name] ?? d.name;
  const difference = (d: Difference) => d.name === 'error_ratio' || d.name === 'accuracy';
  return (
    <Panel
      title={t.comparisonIs(c.newer.model_version, c.older.model_version, outcomes[c.outcome])}
      hint={c.notes.map((note) => sayOfModels(note, f)).join(f.locale === 'en' ? ' ' : '')}
      actions={<StatusMark health={outcomeHealth[c.outcome]} word={outcomes[c.outcome]} />}
      flush
    >
      <Rows
        label={t.compare}
        rows={c.differences}
        rowKey={(d) => d.name}
        columns={[
          { id: 'name', title: t.figure, width: 'minmax(0, 1fr)', cell: name },
          {
            id: 'older',
            title: c.older.model_version,
            width: '6rem',
            align: 'right',
            cell: (d) => write(d.older, d.unit),
          },
          {
            id: 'newer',
            title: c.newer.model_version,
            width: '6rem',
            align: 'right',
            cell: (d) => write(d.newer, d.unit),
          },
          {
            id: 'change',
            title: t.change,
            width: '7rem',
            align: 'right',
            cell: (d) =>
              d.change.value === null
                ? '–'
                : difference(d)
                  ? `${d.change.value > 0 ? '+' : ''}${f.ratio(d.change.value)}`
                  : `× ${f.number(d.change.value)}`,
          },
          {
            id: 'p',
            title: t.pValue,
            width: '6rem',
            align: 'right',
            cell: (d) => (d.p_value === null ? '–' : f.number(d.p_value)),
          },
          {
            id: 'outcome',
            title: t.judgement,
            width: '10rem',
            cell: (d) => <StatusMark health={outcomeHealth[d.outcome]} word={outcomes[d.outcome]} size={14} />,
          },
        ]}
      />
    </Panel>
  );
}

function Figures({ a, b }: { a: Version; b: Version }) {
  const t = useWords(serviceWords);
  const f = useFormat();
  const of = (v: Version) => v.window;
  const lines: [string, (v: Version) => number | null | undefined, Unit][] = [
    [t.records, (v) => of(v)?.records, 'count'],
    [t.perSecond, (v) => of(v)?.rate, 'rate'],
    [t.errorRatio, (v) => of(v)?.error_ratio, 'ratio'],
    [t.median, (v) => of(v)?.latency_p50_seconds, 'seconds'],
    [t.p95, (v) => of(v)?.latency_p95_seconds, 'seconds'],
    [t.p99, (v) => of(v)?.latency_p99_seconds, 'seconds'],
    [t.accuracyName, (v) => v.accuracy.classification?.accuracy.value ?? of(v)?.accuracy, 'ratio'],
    [t.estimateName, (v) => of(v)?.accuracy_estimate, 'ratio'],
    [t.drifted, (v) => of(v)?.drifted_features, 'count'],
    [t.features, (v) => of(v)?.features, 'count'],
  ];
  const cell = (v: number | null | undefined, u: Unit) => (v === null || v === undefined ? '–' : f.value(v, u));
  return (
    <Panel title={t.window24} flush>
      <Rows
        label={t.window24}
        rows={lines}
        rowKey={(l) => l[0]}
        columns={[
          { id: 'name', title: t.figure, width: 'minmax(0, 1fr)', cell: (l) => l[0] },
          { id: 'a', title: a.model_version || '–', width: '8rem', align: 'right', cell: (l) => cell(l[1](a), l[2]) },
          { id: 'b', title: b.model_version || '–', width: '8rem', align: 'right', cell: (l) => cell(l[1](b), l[2]) },
        ]}
      />
    </Panel>
  );
}

function Courses({ subject, other }: { subject: Subject; other: string }) {
  const t = useWords(serviceWords);
  const w = useRateWindow();
  const two = [subject, { ...subject, version: other }];
  const versions = [subject.version || '–', other || '–'];
  const latency = useRanges(
    two.map(
      (s) =>
        `histogram_quantile(0.95, sum by (le) (rate(${matchers(s, { result: 'success' }, 'modelwatch_inference_duration_seconds_bucket')}[${w}])))`,
    ),
  );
  const rates = useRanges(two.map((s) => `sum(rate(${matchers(s, {}, 'modelwatch_inferences_total')}[${w}]))`));
  return (
    <Stack gap="sm">
      <Panel title={t.latency_p95}>
        <RangeChart
          query={joinRanges(latency, versions, 'model_version')}
          label={t.latency_p95}
          unit="seconds"
          name={(l) => l.model_version ?? ''}
          height={140}
          sync="compare"
        />
      </Panel>
      <Panel title={t.perSecond}>
        <RangeChart
          query={joinRanges(rates, versions, 'model_version')}
          label={t.perSecond}
          unit="rate"
          name={(l) => l.model_version ?? ''}
          height={140}
          sync="compare"
        />
      </Panel>
    </Stack>
  );
}
