import { Box, CloseButton, Group, SimpleGrid, Stack, Text } from '@mantine/core';
import { useEffect, useRef } from 'react';
import { type Bin, type FeatureDetail, type Figures, useFeature } from '../../api/models';
import { Facts } from '../../components/Figure';
import { Panel } from '../../components/Panel';
import { Rows } from '../../components/Rows';
import { Sparkline } from '../../components/Sparkline';
import { StatusMark } from '../../components/StatusMark';
import { Await } from '../../components/states';
import { tell } from '../../lib/findings';
import { type Formats, useFormat } from '../../lib/format';
import { changeName, useMethodName, useUnitName } from '../../lib/methods';
import { sayOfModels } from '../../lib/saidOfModels';
import { useWords } from '../../lib/words';
import { verdictHealth } from './Data';
import classes from './Feature.module.css';
import type { Subject } from './subject';
import { serviceWords } from './words';

/** FeaturePanel says all about one feature: its verdict, what led to it, and its distribution against the baseline. */
export function FeaturePanel({ subject, feature, close }: { subject: Subject; feature: string; close: () => void }) {
  const t = useWords(serviceWords);
  const query = useFeature(subject.service, subject.model, subject.version, feature);
  const box = useRef<HTMLDivElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a newly chosen feature is brought into view, once it is there.
  useEffect(() => {
    box.current?.scrollIntoView({ block: 'nearest' });
  }, [feature, query.isPending]);
  return (
    <div ref={box}>
      <Panel title={feature} actions={<CloseButton size="sm" onClick={close} aria-label={t.closeFeature} />}>
        <Await query={query} height={260}>
          {(d) => <Detail d={d} />}
        </Await>
      </Panel>
    </div>
  );
}

function Detail({ d }: { d: FeatureDetail }) {
  const t = useWords(serviceWords);
  const f = useFormat();
  const methodName = useMethodName();
  const unitName = useUnitName();
  const judged = Boolean(d.method);
  return (
    <Stack gap="sm">
      <Group gap="sm">
        <StatusMark health={verdictHealth[d.verdict]} word={t[d.verdict]} />
        {d.change && (
          <Text size="sm">
            {t.changed(changeName(d.change.of, f.locale), f.number(d.change.from), f.number(d.change.to))}
          </Text>
        )}
        {d.reason && <Text size="sm">{sayOfModels(d.reason, f)}</Text>}
        {d.derived && (
          <Text size="sm" c="dimmed">
            {d.feature === '@features' ? t.allInputs : t.derived}
          </Text>
        )}
      </Group>
      {d.findings
        .filter((x) => x.kind !== 'drift')
        .map((x) => (
          <Group key={x.message} gap="xs" wrap="nowrap">
            <StatusMark
              health={x.severity === 'critical' ? 'down' : x.severity === 'warning' ? 'degraded' : 'unknown'}
              word=""
            />
            <Text size="sm">{tell(x, f)}</Text>
          </Group>
        ))}
      <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="lg">
        <div>
          <Text size="xs" fw={600} mb={4}>
            {t.distribution}
          </Text>
          <Distribution d={d} />
          {d.top.length > 0 && (
            <>
              <Text size="xs" fw={600} mt="sm">
                {t.newCategories}
              </Text>
              <Text size="sm">{d.top.map((x) => `${x.category} (${f.count(x.count)})`).join(', ')}</Text>
            </>
          )}
          <Box mt="md">
            <FiguresTable d={d} />
          </Box>
        </div>
        <Stack gap="sm">
          {judged && (
            <Facts
              facts={[
                [t.score, `${f.number(d.score)} ${unitName(d.unit ?? '')}`],
                [t.threshold, f.number(d.threshold)],
                [`${t.pValue} (${t.pValueHint})`, `${f.number(d.adjusted_p_value)} · ${t.alpha} ${f.number(d.alpha)}`],
                [t.method, methodName(d.method ?? '')],
                [t.sample, `${f.count(d.window_rows)} / ${f.count(d.baseline_rows)}`],
              ]}
            />
          )}
          <History d={d} />
          {(d.tests?.length ?? 0) > 1 && (
            <Rows
              label={t.tests}
              short
              rows={d.tests ?? []}
              rowKey={(x) => x.method}
              columns={[
                { id: 'm', title: t.tests, width: 'minmax(0, 1fr)', cell: (x) => methodName(x.method) },
                { id: 'stat', title: t.statistic, width: '5rem', align: 'right', cell: (x) => f.number(x.statistic) },
                { id: 'score', title: t.score, width: '5rem', align: 'right', cell: (x) => f.number(x.score) },
                { id: 'th', title: t.threshold, width: '5rem', align: 'right', cell: (x) => f.number(x.threshold) },
                { id: 'p', title: t.pValue, width: '6.5rem', align: 'right', cell: (x) => f.number(x.p_value) },
              ]}
            />
          )}
          {d.schema && (
            <Text size="xs" c="dimmed">
              {t.schema}: {schema(d, t, f)}
            </Text>
          )}
        </Stack>
      </SimpleGrid>
    </Stack>
  );
}

function schema(
  d: FeatureDetail,
  t: {
    integerOnly: string;
    nullable: string;
    optional: string;
    oneOf: string;
    dimension: (n: string) => string;
    number: string;
    string: string;
    bool: string;
    vector: string;
    missingKind: string;
  },
  f: Formats,
): string {
  const s = d.schema;
  if (!s) return '';
  const parts: string[] = [s.kind === 'missing' ? t.missingKind : t[s.kind]];
  if (s.integer) parts.push(t.integerOnly);
  if (typeof s.min === 'number' && typeof s.max === 'number') parts.push(`${f.number(s.min)} – ${f.number(s.max)}`);
  if (s.categories?.length)
    parts.push(`${t.oneOf} ${s.categories.slice(0, 20).join(', ')}${s.categories.length > 20 ? ' …' : ''}`);
  if (s.dim) parts.push(t.dimension(f.count(s.dim)));
  if (s.nullable) parts.push(t.nullable);
  if (s.optional) parts.push(t.optional);
  return parts.join(f.comma);
}

function History({ d }: { d: FeatureDetail }) {
  const t = useWords(serviceWords);
  const values = d.history.map((h) => h.score ?? Number.NaN);
  if (!values.some(Number.isFinite)) return null;
  return (
    <div>
      <Text size="xs" c="dimmed">
        {t.history}
      </Text>
      <span className={classes.history}>
        <Sparkline values={values} width={320} height={34} label={t.history} max={d.threshold} />
      </span>
    </div>
  );
}

function FiguresTable({ d }: { d: FeatureDetail }) {
  const t = useWords(serviceWords);
  const f = useFormat();
  const n = (v: number | null | undefined) => f.number(v ?? Number.NaN);
  const lines: [string, (x: Figures) => string][] = [
    [t.missing, (x) => f.ratio(x.missing_ratio ?? Number.NaN)],
    [t.invalid, (x) => f.ratio(x.invalid_ratio ?? Number.NaN)],
    [t.distinct, (x) => (x.distinct === null ? '–' : f.count(x.distinct))],
  ];
  if (d.kind === 'number' || d.kind === 'vector') {
    lines.unshift(
      [t.mean, (x) => n(x.mean)],
      [t.std, (x) => n(x.std)],
      [t.minmax, (x) => `${n(x.min)} – ${n(x.max)}`],
      [t.quantiles, (x) => `${n(x.p05)} – ${n(x.p50)} – ${n(x.p95)}`],
    );
  }
  return (
    <Rows
      label={t.figure}
      rows={lines}
      rowKey={(l) => l[0]}
      columns={[
        { id: 'name', title: t.figure, width: 'minmax(0, 1fr)', cell: (l) => l[0] },
        {
          id: 'was',
          title: t.baseline,
          width: 'minmax(0, 1.1fr)',
          align: 'right',
          cell: (l) => (d.baseline ? l[1](d.baseline) : '–'),
        },
        {
          id: 'now',
          title: t.window,
          width: 'minmax(0, 1.1fr)',
          align: 'right',
          cell: (l) => (d.window ? l[1](d.window) : '–'),
        },
      ]}
    />
  );
}

/** FeatureDistribution is the distribution alone. */
export function FeatureDistribution({ subject, feature }: { subject: Subject; feature: string }) {
  const query = useFeature(subject.service, subject.model, subject.version, feature);
  return (
    <Await query={query} height={170}>
      {(d) => (
        <>
          <StatusOf d={d} />
          <Distribution d={d} />
        </>
      )}
    </Await>
  );
}

function StatusOf({ d }: { d: FeatureDetail }) {
  const t = useWords(serviceWords);
  const methodName = useMethodName();
  const f = useFormat();
  return (
    <Group gap="sm" mb={4}>
      <StatusMark health={verdictHealth[d.verdict]} word={t[d.verdict]} size={14} />
      <Text size="xs" c="dimmed">
        {d.method
          ? `${t.score} ${f.number(d.score)} · ${t.threshold} ${f.number(d.threshold)} · ${methodName(d.method)}`
          : sayOfModels(d.reason ?? '', f)}
      </Text>
    </Group>
  );
}

function nameOfBin(b: Bin, f: Formats, others: string): string {
  if (b.category !== null) return b.category === '' ? '""' : b.category;
  if (b.other) return others;
  if (b.low === null) return `≤ ${f.number(b.high ?? Number.NaN)}`;
  if (b.high === null) return `> ${f.number(b.low)}`;
  return `${f.number(b.low)} – ${f.number(b.high)}`;
}

const plotHeight = 150;

/** Distribution sets the shares of the last window beside the baseline's: bars by value, or rows by category. */
function Distribution({ d }: { d: FeatureDetail }) {
  const t = useWords(serviceWords);
  const f = useFormat();
  const most = d.bins.reduce((m, b) => Math.max(m, b.baseline_share ?? 0, b.window_share ?? 0), 0);
  if (most === 0) {
    return (
      <Text size="sm" c="dimmed">
        {t.noCell}
      </Text>
    );
  }
  const legend = (
    <div className={classes.legend} aria-hidden>
      <span className={classes.was} />
      {t.baseline}
      <span className={classes.is} />
      {t.window}
    </div>
  );
  const say = (b: Bin) =>
    `${nameOfBin(b, f, t.others)}: ${t.baseline} ${f.ratio(b.baseline_share ?? Number.NaN)}, ${t.window} ${f.ratio(b.window_share ?? Number.NaN)}`;
  if (d.bins.some((b) => b.category !== null)) {
    return (
      <>
        {legend}
        <ul className={classes.categories}>
          {d.bins
            .filter((b) => !b.other || b.baseline_count + b.window_count > 0)
            .map((b) => (
              <li key={nameOfBin(b, f, t.others)} title={say(b)}>
                <span className={classes.category}>{nameOfBin(b, f, t.others)}</span>
                <span className={classes.bars}>
                  <span className={classes.was} style={{ width: `${((b.baseline_share ?? 0) / most) * 100}%` }} />
                  <span className={classes.is} style={{ width: `${((b.window_share ?? 0) / most) * 100}%` }} />
                </span>
                <span className={classes.share}>
                  {f.ratio(b.baseline_share ?? Number.NaN)} → {f.ratio(b.window_share ?? Number.NaN)}
                </span>
              </li>
            ))}
        </ul>
      </>
    );
  }
  const first = d.bins[0];
  const middle = d.bins[Math.floor(d.bins.length / 2)];
  const last = d.bins.at(-1);
  return (
    <>
      {legend}
      <div
        className={classes.columns}
        style={{ height: plotHeight }}
        role="img"
        aria-label={d.bins.map(say).join('; ')}
      >
        {d.bins.map((b) => (
          <span key={`${b.low} ${b.high}`} className={classes.column} title={say(b)}>
            <span className={classes.was} style={{ height: `${((b.baseline_share ?? 0) / most) * 100}%` }} />
            <span className={classes.is} style={{ height: `${((b.window_share ?? 0) / most) * 100}%` }} />
          </span>
        ))}
      </div>
      <div className={classes.scale} aria-hidden>
        <span>{f.number(first?.low ?? first?.high ?? Number.NaN)}</span>
        <span>{f.number(middle?.low ?? Number.NaN)}</span>
        <span>{f.number(last?.high ?? last?.low ?? Number.NaN)}</span>
      </div>
    </>
  );
}
