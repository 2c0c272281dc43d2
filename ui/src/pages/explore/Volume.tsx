import { useMemo } from 'react';
import type { Span } from '../../api/live';
import { useLogGraph } from '../../api/loki';
import { Chart, type Line } from '../../components/Chart';
import { type Level, levels, parseLevel } from '../../lib/lines';
import { volumeOf } from '../../lib/logql';
import type { Matrix } from '../../lib/matrix';
import { stepFor } from '../../lib/range';
import { useTime } from '../../lib/time';
import { useWords } from '../../lib/words';
import { exploreWords } from './words';

const colors: Record<Level, string> = {
  critical: '#a1148c',
  error: '#d6453d',
  warn: '#d9902f',
  info: '#3f9d68',
  debug: '#5b8fb0',
  trace: '#8fa3b0',
  unknown: '#9aa5ae',
};

interface Props {
  query: string;
  format: 'json' | 'logfmt' | 'text';
  span?: Span;
  onPick: (at: number) => void;
}

/** Volume counts the lines by level over time. */
export function Volume({ query, format, span, onPick }: Props) {
  const t = useWords(exploreWords);
  const { from, to, setRange } = useTime();
  const step = stepFor(span?.from ?? from, span?.to ?? to, 90);
  const strict = useLogGraph(volumeOf(query, format, step), step, { span, partial: true });
  // Lines that are not what most are make a strict count fail.
  const lenient = useLogGraph(volumeOf(query, format, step, true), step, {
    span,
    partial: true,
    enabled: strict.isError,
  });
  const data = strict.isError ? lenient.data : strict.data;
  const drawn = useMemo(() => data && byLevel(data, (l) => t[l]), [data, t]);
  if (!drawn) return <div style={{ height: 96 }} />;
  return (
    <Chart
      label={t.volume}
      times={drawn.times}
      lines={drawn.lines}
      stacked
      height={96}
      unit="count"
      legend={false}
      sync="explore"
      onZoom={(a, b) => setRange({ from: a, to: b })}
      onPick={onPick}
    />
  );
}

/** byLevel adds up series of the same level, the most serious first. A bar begins where its window does. */
export function byLevel(m: Matrix, name: (l: Level) => string): { times: Float64Array; lines: Line[] } {
  const sums = new Map<Level, Float64Array>();
  for (const s of m.series) {
    const found = parseLevel(s.labels.level);
    const level = found === 'unknown' ? parseLevel(s.labels.detected_level) : found;
    let sum = sums.get(level);
    if (!sum) {
      sum = new Float64Array(m.count);
      sums.set(level, sum);
    }
    for (let i = 0; i < m.count; i++) {
      const v = s.values[i] as number;
      if (!Number.isNaN(v)) sum[i] = (sum[i] as number) + v;
    }
  }
  return {
    times: Float64Array.from({ length: m.count }, (_, i) => m.start + (i - 1) * m.step),
    lines: levels
      .filter((l) => sums.has(l))
      .map((l) => ({ name: name(l), values: sums.get(l) as Float64Array, color: colors[l] })),
  };
}
