import { useComputedColorScheme } from '@mantine/core';
import { useElementSize } from '@mantine/hooks';
import { useEffect, useMemo, useRef, useState } from 'react';
import { css } from '../lib/colors';
import { useFormat } from '../lib/format';
import type { Matrix } from '../lib/matrix';
import { useWords } from '../lib/words';
import classes from './Heatmap.module.css';
import { stateWords } from './words';

interface Props {
  /** Cumulative buckets, with the label le. */
  matrix: Matrix;
  label: string;
  height: number;
  /** Writes the upper edge of a bucket. */
  edge: (le: number) => string;
  /** Said instead of “no data”, where more is known. */
  empty?: string;
}

interface Bucket {
  low: number;
  high: number;
  /** Counts in the bucket alone, by time. */
  counts: Float64Array;
}

const axis = 62;
const below = 20;

/** buckets turns cumulative buckets into their own counts, without those that are empty throughout at either end. */
export function buckets(m: Matrix): Bucket[] {
  const sorted = m.series
    .map((s) => ({ le: s.labels.le === '+Inf' ? Number.POSITIVE_INFINITY : Number(s.labels.le), values: s.values }))
    .filter((s) => !Number.isNaN(s.le))
    .sort((a, b) => a.le - b.le);
  const all = sorted.map((s, i): Bucket => {
    const before = sorted[i - 1];
    const counts = new Float64Array(m.count);
    for (let j = 0; j < m.count; j++) {
      const above = s.values[j] as number;
      const under = before ? (before.values[j] as number) : 0;
      counts[j] = Number.isNaN(above) ? 0 : Math.max(0, above - (Number.isNaN(under) ? 0 : under));
    }
    return { low: before?.le ?? 0, high: s.le, counts };
  });
  const used = (b: Bucket) => b.counts.some((c) => c > 0);
  const first = all.findIndex(used);
  return first < 0 ? [] : all.slice(first, all.findLastIndex(used) + 1);
}

/** Heatmap shows how many requests fell into which bucket when. */
export function Heatmap({ matrix, label, height, edge, empty }: Props) {
  const t = useWords(stateWords);
  const f = useFormat();
  const dark = useComputedColorScheme('light', { getInitialValueInEffect: false }) === 'dark';
  const { ref, width } = useElementSize();
  const canvas = useRef<HTMLCanvasElement>(null);
  const rows = useMemo(() => buckets(matrix), [matrix]);
  const [at, setAt] = useState<{ x: number; row: number; column: number } | null>(null);
  const plotWidth = Math.max(0, width - axis);
  const plotHeight = height - below;

  useEffect(() => {
    const c = canvas.current;
    const g = c?.getContext('2d');
    if (!c || !g || plotWidth === 0) return;
    const scale = devicePixelRatio;
    c.width = plotWidth * scale;
    c.height = plotHeight * scale;
    g.scale(scale, scale);
    g.clearRect(0, 0, plotWidth, plotHeight);
    const most = rows.reduce((a, r) => r.counts.reduce((b, x) => Math.max(b, x), a), 0);
    const w = plotWidth / matrix.count;
    const h = plotHeight / Math.max(1, rows.length);
    g.fillStyle = dark ? '#5fb3d9' : '#135f87';
    rows.forEach((r, i) => {
      for (let j = 0; j < matrix.count; j++) {
        const n = r.counts[j] as number;
        if (n <= 0) continue;
        // The root lets few slow requests be seen beside many fast ones.
        g.globalAlpha = 0.08 + 0.92 * Math.sqrt(n / most);
        g.fillRect(j * w, plotHeight - (i + 1) * h, Math.max(1, w - 0.5), Math.max(1, h - 0.5));
      }
    });
  }, [rows, matrix, plotWidth, plotHeight, dark]);

  if (rows.length === 0) {
    return (
      <div ref={ref} className={classes.nothing} style={{ height }}>
        {empty ?? t.noData}
      </div>
    );
  }
  const every = Math.ceil(rows.length / 8);
  const hovered = at ? rows[at.row] : undefined;
  const time = (column: number) => (matrix.start + column * matrix.step) * 1000;
  const ticks = Math.max(2, Math.min(8, Math.floor(plotWidth / 110)));
  return (
    <div
      ref={ref}
      className={classes.box}
      style={{ height }}
      role="img"
      aria-label={`${label}. ${edge(rows[0]?.low ?? 0)} – ${edge(rows.at(-1)?.high ?? 0)}`}
    >
      {rows.map((r, i) =>
        i % every === 0 ? (
          <span
            key={r.high}
            className={classes.edge}
            style={{ bottom: below + ((i + 1) * plotHeight) / rows.length - 7, width: axis - 6 }}
          >
            {edge(r.high)}
          </span>
        ) : null,
      )}
      <canvas
        ref={canvas}
        className={classes.canvas}
        style={{ left: axis, width: plotWidth, height: plotHeight, background: css('--mw-page') }}
        onMouseMove={(e) => {
          const r = e.currentTarget.getBoundingClientRect();
          const column = Math.min(matrix.count - 1, Math.floor(((e.clientX - r.left) / r.width) * matrix.count));
          const row = Math.min(rows.length - 1, Math.floor((1 - (e.clientY - r.top) / r.height) * rows.length));
          setAt({ x: e.clientX - r.left + axis, row, column });
        }}
        onMouseLeave={() => setAt(null)}
      />
      {Array.from({ length: ticks }, (_, i) => Math.round((i + 0.5) * (matrix.count / ticks))).map((column) => (
        <span key={column} className={classes.tick} style={{ left: axis + (column / matrix.count) * plotWidth }}>
          {f.minute(time(column))}
        </span>
      ))}
      {at && hovered && (
        <div className={classes.tooltip} style={at.x > width / 2 ? { right: width - at.x + 12 } : { left: at.x + 12 }}>
          <div>{f.full(time(at.column))}</div>
          <b>
            {edge(hovered.low)} – {edge(hovered.high)}: {f.number(hovered.counts[at.column] as number)}
          </b>
        </div>
      )}
    </div>
  );
}
