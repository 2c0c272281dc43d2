import type { UseQueryResult } from '@tanstack/react-query';
import { lazy, Suspense, useMemo } from 'react';
import type { Unit } from '../lib/format';
import { type Labels, nameOf } from '../lib/labels';
import type { Matrix } from '../lib/matrix';
import { useTime } from '../lib/time';
import type { ChartProps, Line } from './Chart';
import { Await } from './states';

// Loaded while the data is on its way.
const loading = import('./Chart');
const Chart = lazy(() => loading.then((m) => ({ default: m.Chart })));

interface Props extends Omit<ChartProps, 'times' | 'lines'> {
  query: UseQueryResult<Matrix>;
  unit?: Unit;
  /** Names a series; by default its labels that differ. */
  name?: (labels: Labels) => string;
  color?: (labels: Labels) => string | undefined;
  fill?: boolean;
}

export function timesOf(m: Matrix): number[] {
  return Array.from({ length: m.count }, (_, i) => m.start + i * m.step);
}

/** RangeChart draws what a range query says; dragging zooms the page. */
export function RangeChart({ query, name, color, fill, ...rest }: Props) {
  const height = rest.height ?? 170;
  return (
    <Await query={query} height={height}>
      {(m) => (
        <Suspense fallback={<div style={{ height }} aria-busy />}>
          <Drawn m={m} name={name} color={color} fill={fill} {...rest} />
        </Suspense>
      )}
    </Await>
  );
}

function Drawn({ m, name, color, fill, ...rest }: Omit<Props, 'query'> & { m: Matrix }) {
  const { setRange } = useTime();
  const times = useMemo(() => timesOf(m), [m]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: naming is the same for the same data.
  const lines = useMemo<Line[]>(() => {
    const all = m.series.map((s) => s.labels);
    // In the order of their labels, which is the same in every language.
    return m.series
      .map((s) => ({ labels: s.labels, values: s.values, key: nameOf(s.labels, all) }))
      .sort((a, b) => a.key.localeCompare(b.key, 'en', { numeric: true }))
      .map(({ labels, values, key }) => ({ name: name ? name(labels) : key, values, color: color?.(labels), fill }));
  }, [m, fill]);
  return <Chart times={times} lines={lines} onZoom={(from, to) => setRange({ from, to })} {...rest} />;
}
