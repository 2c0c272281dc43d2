import { Box, Button, Group, List, SegmentedControl, Stack, Text, UnstyledButton } from '@mantine/core';
import { IconPlus } from '@tabler/icons-react';
import { type UseQueryResult, useQueries } from '@tanstack/react-query';
import { useMemo } from 'react';
import { isGone } from '../../api/client';
import { logLabels, logValues } from '../../api/loki';
import { type Table as Answer, useGraph, useTable } from '../../api/promql';
import { Chart, type Line } from '../../components/Chart';
import { Panel } from '../../components/Panel';
import { Await, Empty, ErrorBox } from '../../components/states';
import { useFormat } from '../../lib/format';
import { type Labels, nameOf, selector } from '../../lib/labels';
import type { Matrix } from '../../lib/matrix';
import { stepFor } from '../../lib/range';
import { useTime } from '../../lib/time';
import { useWords } from '../../lib/words';
import { Exemplars, useExemplarDots } from './Exemplars';
import classes from './Explore.module.css';
import { note } from './history';
import { QueryRow } from './QueryRow';
import { ResultTable } from './ResultTable';
import { useAsked } from './state';
import { unitOfAll } from './unit';
import { exploreWords } from './words';

const letter = (i: number) => String.fromCharCode(65 + (i % 26));
/** Queries beyond these are not run: a page is not a report. */
const most = 8;
/** About one point a pixel. */
const points = 1000;

/** Metrics asks PromQL: several queries, one graph or a table each. */
export function Metrics() {
  const t = useWords(exploreWords);
  const [state, change] = useAsked();
  const { exprs, hidden } = state;
  const run = (i: number, expr: string) => {
    note('promql', expr);
    change({ exprs: exprs.map((e, j) => (j === i ? expr : e)), hidden: hidden.filter((h) => h !== i) });
  };
  const remove = (i: number) =>
    change({
      exprs: exprs.filter((_, j) => j !== i),
      hidden: hidden.filter((h) => h !== i).map((h) => (h > i ? h - 1 : h)),
    });
  const asked = exprs.some((e, i) => e.trim() && !hidden.includes(i));
  return (
    <Panel
      title={t.metrics}
      actions={
        <SegmentedControl
          aria-label={t.metrics}
          value={state.show}
          onChange={(v) => change({ show: v as 'graph' | 'table' }, true)}
          data={[
            { value: 'graph', label: t.graph },
            { value: 'table', label: t.table },
          ]}
        />
      }
    >
      <Stack gap={6}>
        {exprs.map((expr, i) => (
          <QueryRow
            // biome-ignore lint/suspicious/noArrayIndexKey: a query is what stands at its place.
            key={i}
            name={letter(i)}
            expr={expr}
            hidden={hidden.includes(i)}
            alone={exprs.length === 1}
            onRun={(e) => run(i, e)}
            onHide={() => change({ hidden: hidden.includes(i) ? hidden.filter((h) => h !== i) : [...hidden, i] }, true)}
            onRemove={() => remove(i)}
          />
        ))}
        <Group gap="xs" pl={30}>
          <Button
            variant="subtle"
            size="compact-xs"
            leftSection={<IconPlus size={13} aria-hidden />}
            disabled={exprs.length >= most}
            onClick={() => change({ exprs: [...exprs, ''] }, true)}
          >
            {t.addQuery}
          </Button>
        </Group>
        {!asked ? <Begin onPick={(e) => run(0, e)} /> : state.show === 'graph' ? <Graph /> : <Tables />}
      </Stack>
    </Panel>
  );
}

/** Begin offers queries that answer something on every modelwatch. */
function Begin({ onPick }: { onPick: (expr: string) => void }) {
  const t = useWords(exploreWords);
  const examples: [string, string][] = [
    [t.exampleUp, 'up'],
    [t.exampleAlerts, 'ALERTS'],
    [t.exampleScrape, 'scrape_duration_seconds'],
    [t.exampleIngest, 'rate(prometheus_tsdb_head_samples_appended_total[5m])'],
  ];
  return (
    <Empty title={t.noQuery}>
      <Text size="sm" c="dimmed" pb="xs">
        {t.noQueryHint}
      </Text>
      <Stack gap={4} align="center">
        {examples.map(([name, expr]) => (
          <UnstyledButton key={expr} className={classes.past} maw={460} onClick={() => onPick(expr)}>
            <Text size="sm">{name}</Text>
            <span className={`mw-mono ${classes.example}`}>{expr}</span>
          </UnstyledButton>
        ))}
      </Stack>
    </Empty>
  );
}

/** Each query has hooks of its own, so their number is fixed; those that are empty ask nothing. */
function useGraphs(queries: string[], step: number): UseQueryResult<Matrix>[] {
  return [
    useGraph(queries[0] ?? '', step),
    useGraph(queries[1] ?? '', step),
    useGraph(queries[2] ?? '', step),
    useGraph(queries[3] ?? '', step),
    useGraph(queries[4] ?? '', step),
    useGraph(queries[5] ?? '', step),
    useGraph(queries[6] ?? '', step),
    useGraph(queries[7] ?? '', step),
  ].slice(0, queries.length);
}

function Graph() {
  const t = useWords(exploreWords);
  const f = useFormat();
  const { from, to, setRange } = useTime();
  const [state, change] = useAsked();
  const step = stepFor(from, to, points);
  const asked = state.exprs
    .map((expr, i) => ({ expr, name: letter(i), i }))
    .filter((q) => q.expr.trim() && !state.hidden.includes(q.i));
  const graphs = useGraphs(
    asked.map((q) => q.expr),
    step,
  );
  const matrices = graphs.map((g) => g.data);
  const key = graphs.map((g) => g.dataUpdatedAt).join();
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key stands for the matrices.
  const drawn = useMemo(
    () =>
      draw(
        matrices,
        asked.map((q) => q.name),
      ),
    [key, asked.length, state.exprs],
  );
  const waiting = graphs.some((g) => g.isPending);
  const streams = useStreamGuess(matrices[0]?.series[0]?.labels);
  const pick = (at: number) => {
    change({ at, view: state.view === 'logs' ? 'logs' : 'split', logs: state.logs || streams, live: false });
  };
  const exemplars = useExemplarDots(asked[0]?.expr ?? '', streams);
  const warnings = [...new Set(matrices.flatMap((m) => m?.warnings ?? []))];
  return (
    <Box>
      {graphs.map(
        (g, i) =>
          g.isError &&
          !(g.data && isGone(g.error)) && (
            <Box key={asked[i]?.name} pb="xs">
              <ErrorBox
                title={t.query(asked[i]?.name ?? '')}
                error={g.error}
                retry={() => void g.refetch({ cancelRefetch: true })}
              />
            </Box>
          ),
      )}
      {warnings.length > 0 && (
        <List size="xs" c="var(--mw-degraded)" spacing={2} pb={4}>
          {warnings.map((w) => (
            <List.Item key={w}>{w}</List.Item>
          ))}
        </List>
      )}
      {!drawn && waiting && (
        <Await query={graphs.find((g) => g.isPending) as UseQueryResult<Matrix>} height={320}>
          {() => null}
        </Await>
      )}
      {drawn && drawn.lines.length > 0 && (
        <>
          <Chart
            label={asked.map((q) => q.expr).join('; ')}
            times={drawn.times}
            lines={drawn.lines}
            unit={unitOfAll(asked.map((q) => q.expr))}
            height={320}
            sync="explore"
            onZoom={(a, b) => setRange({ from: a, to: b })}
            onPick={pick}
            dots={exemplars.dots}
            onDot={exemplars.followDot}
          />
          <div className={classes.below}>
            <Text size="xs" c="dimmed">
              {t.seriesCount(f.count(drawn.lines.length))} · {t.resolution(f.span(step * 1000))}
            </Text>
            <Text size="xs" c="dimmed">
              {t.pickHint}
            </Text>
          </div>
        </>
      )}
      {drawn && drawn.lines.length === 0 && !waiting && !graphs.some((g) => g.isError) && <Nothing />}
      {exemplars.list.length > 0 && <Exemplars list={exemplars.list} follow={exemplars.follow} />}
    </Box>
  );
}

function Nothing() {
  const t = useWords(exploreWords);
  return (
    <Empty title={t.noSeries}>
      <Text size="sm" c="dimmed">
        {t.noSeriesHint}
      </Text>
    </Empty>
  );
}

/** draw puts the series of all queries on one grid, with names that tell them apart. */
export function draw(
  matrices: (Matrix | undefined)[],
  names: string[],
): { times: Float64Array; lines: Line[] } | undefined {
  const known = matrices.filter((m): m is Matrix => m !== undefined);
  const first = known[0];
  if (!first) return undefined;
  const start = Math.min(...known.map((m) => m.start));
  const end = Math.max(...known.map((m) => m.start + (m.count - 1) * m.step));
  const count = Math.round((end - start) / first.step) + 1;
  const times = Float64Array.from({ length: count }, (_, i) => start + i * first.step);
  const lines: Line[] = [];
  const used = new Map<string, number>();
  matrices.forEach((m, i) => {
    if (!m) return;
    const all = m.series.map((s) => s.labels);
    for (const s of m.series) {
      let name = nameOf(s.labels, all);
      if (name === '{}') name = names[i] as string;
      else if (matrices.length > 1) name = `${names[i]}  ${name}`;
      const n = (used.get(name) ?? 0) + 1;
      used.set(name, n);
      let values = s.values;
      const shift = Math.round((m.start - start) / m.step);
      if (shift !== 0 || m.count !== count) {
        values = new Float64Array(count).fill(Number.NaN);
        values.set(s.values.subarray(0, count - shift), shift);
      }
      lines.push({ name: n > 1 ? `${name} (${n})` : name, values });
    }
  });
  return { times, lines };
}

const telling = ['service_name', 'service', 'job', 'app', 'namespace', 'pod', 'instance'];

/** useStreamGuess finds the log stream that speaks of the same thing as a series, by a label that both have. */
function useStreamGuess(labels: Labels | undefined): string {
  const [names] = useQueries({
    queries: [{ queryKey: ['log-labels'], queryFn: () => logLabels(), staleTime: 30_000, retry: false }],
  });
  const shared = telling.filter((l) => labels?.[l] && names.data?.includes(l));
  const values = useQueries({
    queries: shared.map((l) => ({
      queryKey: ['log-values', l, ''],
      queryFn: () => logValues(l),
      staleTime: 30_000,
      retry: false,
    })),
  });
  const i = shared.findIndex((l, j) => values[j]?.data?.includes(labels?.[l] as string));
  const name = shared[i];
  return name ? selector({ [name]: labels?.[name] }) : '';
}

function Tables() {
  const [state] = useAsked();
  return (
    <Stack gap="sm">
      {state.exprs.map((expr, i) =>
        expr.trim() && !state.hidden.includes(i) ? (
          // biome-ignore lint/suspicious/noArrayIndexKey: a query is what stands at its place.
          <TableOf key={i} expr={expr} name={state.exprs.length > 1 ? letter(i) : ''} />
        ) : null,
      )}
    </Stack>
  );
}

function TableOf({ expr, name }: { expr: string; name: string }) {
  const t = useWords(exploreWords);
  const answer = useTable(expr);
  return (
    <Await query={answer as UseQueryResult<Answer>} height={160}>
      {(data) => (data.rows.length ? <ResultTable data={data} title={name && t.query(name)} /> : <Nothing />)}
    </Await>
  );
}
