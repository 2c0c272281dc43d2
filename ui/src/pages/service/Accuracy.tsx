import { Group, SimpleGrid, Stack, Text } from '@mantine/core';
import { type Accuracy, type Classification, type Measure, type Regression, useVersion } from '../../api/models';
import { useRange } from '../../api/series';
import { Figure } from '../../components/Figure';
import { Panel } from '../../components/Panel';
import { RangeChart } from '../../components/RangeChart';
import { Rows } from '../../components/Rows';
import { Await } from '../../components/states';
import { useFormat } from '../../lib/format';
import { sayOfModels } from '../../lib/saidOfModels';
import { useWords } from '../../lib/words';
import type { TabProps } from '.';
import { FeatureDistribution } from './Feature';
import { matchers } from './subject';
import { serviceWords } from './words';

export default function AccuracyTab({ subject }: TabProps) {
  const t = useWords(serviceWords);
  const version = useVersion(subject.service, subject.model, subject.version);
  const course = useRange(
    matchers(subject, {}, '').replace(
      '{',
      '{__name__=~"modelwatch_accuracy|modelwatch_accuracy_estimate(_low|_high)?",',
    ),
  );
  const names: Record<string, string> = {
    modelwatch_accuracy: t.accuracyName,
    modelwatch_accuracy_estimate: t.estimateName,
    modelwatch_accuracy_estimate_low: t.estimateLow,
    modelwatch_accuracy_estimate_high: t.estimateHigh,
  };
  const colors: Record<string, string> = {
    modelwatch_accuracy: '#3d8f63',
    modelwatch_accuracy_estimate: '#3f7fc0',
    modelwatch_accuracy_estimate_low: '#93b4d6',
    modelwatch_accuracy_estimate_high: '#93b4d6',
  };
  return (
    <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="sm">
      <Panel title={t.measured}>
        <Await query={version} height={150}>
          {(v) => <Measured a={v.accuracy} />}
        </Await>
      </Panel>
      <Stack gap="sm">
        <Panel title={t.estimated}>
          <Await query={version} height={150}>
            {(v) => <Estimated a={v.accuracy} />}
          </Await>
        </Panel>
        <Panel title={t.accuracyOverTime}>
          <RangeChart
            query={course}
            label={t.accuracyOverTime}
            unit="ratio"
            max={1}
            name={(l) => names[l.__name__ ?? ''] ?? ''}
            color={(l) => colors[l.__name__ ?? '']}
          />
        </Panel>
        <Panel title={t.predictions}>
          <FeatureDistribution subject={subject} feature="@prediction" />
        </Panel>
      </Stack>
    </SimpleGrid>
  );
}

function useMeasure() {
  const t = useWords(serviceWords);
  const f = useFormat();
  return {
    ratio: (label: string, m: Measure) => {
      const reason = m.reason && sayOfModels(m.reason, f);
      return (
        <Figure
          key={label}
          label={label}
          value={m.value === null ? <span title={reason}>–</span> : f.ratio(m.value)}
          hint={m.low !== null && m.high !== null ? t.interval(f.ratio(m.low), f.ratio(m.high)) : reason}
        />
      );
    },
  };
}

function Measured({ a }: { a: Accuracy }) {
  const t = useWords(serviceWords);
  const f = useFormat();
  const { ratio } = useMeasure();
  const n = a.classification?.sample_size ?? a.regression?.sample_size ?? 0;
  if (n === 0) {
    return (
      <Text size="sm" c="dimmed">
        {t.noLabels}
      </Text>
    );
  }
  return (
    <Stack gap="sm">
      {a.classification && <Group>{ratio(t.accuracyName, a.classification.accuracy)}</Group>}
      {a.newest_labelled && (
        <Text size="xs" c="dimmed">
          {t.labelled(f.count(n), f.moment(Date.parse(a.newest_labelled)))}
        </Text>
      )}
      {a.classification && <Scores now={a.classification} was={a.baseline} />}
      {a.regression && <Errors now={a.regression} />}
      {(a.classification?.classes.length ?? 0) > 0 && (
        <Rows
          label={t.classes}
          short
          rows={a.classification?.classes ?? []}
          rowKey={(c) => c.class}
          columns={[
            { id: 'class', title: t.class, width: 'minmax(0, 1fr)', cell: (c) => c.class },
            { id: 'support', title: t.support, width: '5rem', align: 'right', cell: (c) => f.count(c.support) },
            { id: 'predicted', title: t.predicted, width: '5rem', align: 'right', cell: (c) => f.count(c.predicted) },
            {
              id: 'precision',
              title: t.precision,
              width: '5rem',
              align: 'right',
              cell: (c) => f.ratio(c.precision.value ?? Number.NaN),
            },
            {
              id: 'recall',
              title: t.recall,
              width: '4.5rem',
              align: 'right',
              cell: (c) => f.ratio(c.recall.value ?? Number.NaN),
            },
          ]}
        />
      )}
    </Stack>
  );
}

function Scores({ now, was }: { now: Classification; was: Classification | null }) {
  const t = useWords(serviceWords);
  const f = useFormat();
  const lines = [
    { name: t.accuracyName, of: (c: Classification) => c.accuracy, write: f.ratio },
    { name: t.precision, of: (c: Classification) => c.precision, write: f.ratio },
    { name: t.recall, of: (c: Classification) => c.recall, write: f.ratio },
    { name: t.f1, of: (c: Classification) => c.f1, write: f.ratio },
    { name: t.rocAuc, of: (c: Classification) => c.roc_auc, write: f.number },
    { name: t.logLoss, of: (c: Classification) => c.log_loss, write: f.number },
    { name: t.brier, of: (c: Classification) => c.brier, write: f.number },
    { name: t.calibration, of: (c: Classification) => c.calibration_error, write: f.ratio },
  ];
  const cell = (m: Measure | undefined, write: (v: number) => string) => (m && m.value !== null ? write(m.value) : '–');
  return (
    <Rows
      label={t.measured}
      rows={lines}
      rowKey={(l) => l.name}
      columns={[
        { id: 'name', title: t.figure, width: 'minmax(0, 1fr)', cell: (l) => l.name },
        { id: 'now', title: t.now, width: '6rem', align: 'right', cell: (l) => cell(l.of(now), l.write) },
        {
          id: 'was',
          title: t.baseline,
          width: '6rem',
          align: 'right',
          cell: (l) => cell(was ? l.of(was) : undefined, l.write),
        },
      ]}
    />
  );
}

function Errors({ now }: { now: Regression }) {
  const t = useWords(serviceWords);
  const f = useFormat();
  const lines: [string, Measure, (v: number) => string][] = [
    [t.mae, now.mae, f.number],
    [t.rmse, now.rmse, f.number],
    [t.mape, now.mape, f.ratio],
    [t.bias, now.bias, f.number],
    [t.r2, now.r2, f.number],
  ];
  return (
    <Rows
      label={t.measured}
      rows={lines}
      rowKey={(l) => l[0]}
      columns={[
        { id: 'name', title: t.figure, width: 'minmax(0, 1fr)', cell: (l) => l[0] },
        {
          id: 'now',
          title: t.now,
          width: '8rem',
          align: 'right',
          cell: (l) => (l[1].value === null ? '–' : l[2](l[1].value)),
        },
      ]}
    />
  );
}

/** What the server says of the calibration; in other words than these it is shown as it is. */
const calibrations = {
  'too few labelled records of both outcomes to calibrate on': 'tooFewToCalibrate',
  'the outcomes are all but separable': 'separable',
  'calibrating would not lower the calibration error': 'noNeedToCalibrate',
  'the baseline has no labels': 'noLabelsToCalibrate',
  "calibrated by isotonic regression on the baseline's labels": 'calibrated',
} as const;

function calibration(said: string, t: Record<(typeof calibrations)[keyof typeof calibrations], string>): string {
  const known = Object.entries(calibrations).find(([begin]) => said.startsWith(begin));
  return known ? t[known[1]] : said;
}

function Estimated({ a }: { a: Accuracy }) {
  const t = useWords(serviceWords);
  const f = useFormat();
  const { ratio } = useMeasure();
  if (!a.estimate) {
    return (
      <Text size="sm" c="dimmed">
        {t.noEstimate}
      </Text>
    );
  }
  return (
    <Stack gap="xs">
      {ratio(t.accuracyName, a.estimate.accuracy)}
      <Text size="xs" c="dimmed">
        {t.of(f.count(a.estimate.sample_size))}
      </Text>
      <Text size="sm">{calibration(a.estimate.calibration, t)}</Text>
    </Stack>
  );
}
