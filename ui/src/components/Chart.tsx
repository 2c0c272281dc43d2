// The one place that knows uPlot.
import 'uplot/dist/uPlot.min.css';
import { useComputedColorScheme } from '@mantine/core';
import { useElementSize, useMergedRef } from '@mantine/hooks';
import { useEffect, useMemo, useRef, useState } from 'react';
import uPlot from 'uplot';
import { css, seriesColor } from '../lib/colors';
import { type Formats, type Unit, useFormat } from '../lib/format';
import { useWords } from '../lib/words';
import classes from './Chart.module.css';
import { stateWords } from './words';

export interface Line {
  name: string;
  /** One value for each time; NaN is a gap. */
  values: ArrayLike<number>;
  color?: string;
  dash?: boolean;
  /** Fills the area below. */
  fill?: boolean;
  width?: number;
}

/** A single observation that is drawn over the lines. */
export interface Dot {
  /** Seconds since 1970. */
  time: number;
  /** Where it is drawn; by default at the bottom, where its value is not in the unit of the lines. */
  height?: number;
  /** What the tooltip says of it, a line each. */
  text: string[];
}

export interface ChartProps {
  /** Seconds since 1970. */
  times: ArrayLike<number>;
  lines: Line[];
  unit?: Unit;
  height?: number;
  /** What the chart shows, for those who cannot see it, and in the tooltip. */
  label: string;
  /** Called with ms when a span was dragged. */
  onZoom?: (from: number, to: number) => void;
  /** Called with ms when a point was clicked. */
  onPick?: (at: number) => void;
  /** A horizontal line, such as a threshold. */
  threshold?: number;
  min?: number;
  max?: number;
  legend?: boolean;
  /** Charts with the same key share their cursor. */
  sync?: string;
  /** Draws bars, stacked in the order of the lines. */
  stacked?: boolean;
  /** Said instead of “no data”, where more is known. */
  empty?: string;
  dots?: Dot[];
  onDot?: (dot: Dot) => void;
}

interface Hover {
  index: number;
  left: number;
  dot?: Dot;
}

/** Half the width of a dot, and how near the pointer must come, in px. */
const dotSize = 4;
const dotReach = 8;

const shownInTooltip = 14;
const shownInLegend = 12;

/** Chart draws series over time, with a shared cursor, a tooltip and zoom by dragging. */
export function Chart(props: ChartProps) {
  const { times, lines, unit = 'number', height = 170, label, threshold, legend = true } = props;
  const f = useFormat();
  const t = useWords(stateWords);
  const dark = useComputedColorScheme('light', { getInitialValueInEffect: false }) === 'dark';
  const { ref, width } = useElementSize();
  const box = useRef<HTMLDivElement>(null);
  const merged = useMergedRef(ref, box);
  const plot = useRef<uPlot>(null);
  const [hover, setHover] = useState<Hover | null>(null);
  const [only, setOnly] = useState<string | null>(null);
  const [all, setAll] = useState(false);
  const events = useRef(props);
  events.current = props;

  const names = lines.map((l) => l.name).join('\n');
  const alone = only !== null && lines.some((l) => l.name === only) ? only : null;
  const data = useMemo(() => columns(times, lines, props.stacked), [times, lines, props.stacked]);
  const latest = useRef(data);
  latest.current = data;
  const looks = JSON.stringify(lines.map((l) => [l.color, l.dash, l.fill, l.width]));

  // biome-ignore lint/correctness/useExhaustiveDependencies: names and looks stand for the lines; data and size are set below.
  useEffect(() => {
    if (!box.current || width === 0) return;
    const made = new uPlot(
      options({ ...props, alone, dark, f, unit, width, height, threshold }, (h) => setHover(h), events),
      latest.current,
      box.current,
    );
    plot.current = made;
    return () => {
      made.destroy();
      plot.current = null;
      setHover(null);
    };
  }, [names, looks, dark, f, unit, threshold, width > 0, alone, props.min, props.max, props.sync, props.stacked]);
  useEffect(() => {
    plot.current?.setData(data);
  }, [data]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the dots are read while drawing.
  useEffect(() => {
    plot.current?.redraw(false);
  }, [props.dots]);
  useEffect(() => {
    if (width > 0) plot.current?.setSize({ width, height });
  }, [width, height]);

  const color = (i: number) => lines[i]?.color ?? seriesColor(i, dark);
  const shown = all ? lines : lines.slice(0, shownInLegend);
  return (
    <figure className={classes.figure}>
      <div
        ref={merged}
        className={classes.plot}
        style={{ height }}
        role="img"
        aria-label={summary(label, times, lines, unit, f)}
      >
        {lines.length === 0 && <div className={classes.nothing}>{props.empty ?? t.noData}</div>}
        {hover && <Tooltip hover={hover} width={width} times={times} lines={lines} unit={unit} color={color} f={f} />}
      </div>
      {legend && lines.length > 1 && (
        <div className={classes.legend}>
          {shown.map((l, i) => (
            <button
              key={l.name}
              type="button"
              className={classes.key}
              data-off={alone !== null && alone !== l.name}
              aria-pressed={alone === l.name}
              title={t.hideSeries(l.name)}
              onClick={() => setOnly(alone === l.name ? null : l.name)}
            >
              <span className={classes.swatch} style={{ background: color(i) }} />
              <span className={classes.name}>{l.name}</span>
            </button>
          ))}
          {lines.length > shown.length && (
            <button type="button" className={classes.key} onClick={() => setAll(true)}>
              {t.showAll(f.count(lines.length))}
            </button>
          )}
        </div>
      )}
    </figure>
  );
}

interface TooltipProps {
  hover: Hover;
  width: number;
  times: ArrayLike<number>;
  lines: Line[];
  unit: Unit;
  color: (i: number) => string;
  f: Formats;
}

function Tooltip({ hover, width, times, lines, unit, color, f }: TooltipProps) {
  const time = times[hover.index];
  if (time === undefined) return null;
  const rows = lines
    .map((l, i) => ({ name: l.name, color: color(i), value: l.values[hover.index] as number }))
    .filter((r) => !Number.isNaN(r.value) && r.value !== undefined)
    .sort((a, b) => b.value - a.value);
  const side = hover.left > width / 2 ? { right: width - hover.left + 14 } : { left: hover.left + 14 };
  return (
    <div className={classes.tooltip} style={side}>
      {hover.dot && (
        <div className={classes.dot}>
          {hover.dot.text.map((line) => (
            <div key={line} className={classes.name}>
              {line}
            </div>
          ))}
        </div>
      )}
      <div className={classes.when}>{f.full(time * 1000)}</div>
      {rows.slice(0, shownInTooltip).map((r) => (
        <div key={r.name} className={classes.row}>
          <span className={classes.swatch} style={{ background: r.color }} />
          <span className={classes.name}>{r.name}</span>
          <span className={classes.value}>{f.value(r.value, unit)}</span>
        </div>
      ))}
      {rows.length > shownInTooltip && <div className={classes.when}>+ {f.count(rows.length - shownInTooltip)}</div>}
    </div>
  );
}

/** columns makes what uPlot wants: null for gaps, and sums where bars are stacked. */
function columns(times: ArrayLike<number>, lines: Line[], stacked?: boolean): uPlot.AlignedData {
  const out: (number | null)[][] = lines.map((l) =>
    Array.from({ length: times.length }, (_, i) => {
      const v = l.values[i];
      return v === undefined || !Number.isFinite(v) ? null : v;
    }),
  );
  if (stacked) {
    for (let s = out.length - 2; s >= 0; s--) {
      const above = out[s + 1] as (number | null)[];
      const here = out[s] as (number | null)[];
      for (let i = 0; i < here.length; i++) here[i] = (here[i] ?? 0) + (above[i] ?? 0);
    }
  }
  return [Array.from(times), ...out] as uPlot.AlignedData;
}

/** lonely gives the points that have no neighbour: no line would show them. */
function lonely(u: uPlot, series: number): number[] | null {
  const values = u.data[series] ?? [];
  const alone: number[] = [];
  for (let i = 0; i < values.length; i++) {
    if (values[i] != null && values[i - 1] == null && values[i + 1] == null) alone.push(i);
  }
  return alone.length ? alone : null;
}

/** width is the time between two points, 0 where there is one alone. */
function width(times: ArrayLike<number>): number {
  return times.length > 1 ? (times[1] as number) - (times[0] as number) : 0;
}

/** summary says in a sentence what the picture shows. */
function summary(label: string, times: ArrayLike<number>, lines: Line[], unit: Unit, f: Formats): string {
  const last = times.length - 1;
  const parts = lines.slice(0, 5).map((l) => {
    let i = last;
    while (i > 0 && Number.isNaN(l.values[i] as number)) i--;
    return `${l.name}: ${f.value((l.values[i] as number) ?? Number.NaN, unit)}`;
  });
  return `${label}. ${parts.join('; ')}`;
}

/** dotsOn gives the dots in view with their places in px of the plot; what is too high is drawn at its upper edge. */
function dotsOn(u: uPlot, dots: Dot[], canvas: boolean): { dot: Dot; x: number; y: number }[] {
  const { min: from = 0, max: to = 0 } = u.scales.x as { min?: number; max?: number };
  const { min: low = 0, max: high = 1 } = u.scales.y as { min?: number; max?: number };
  return dots
    .filter((d) => d.time >= from && d.time <= to)
    .map((dot) => ({
      dot,
      x: u.valToPos(dot.time, 'x', canvas),
      y: u.valToPos(Math.min(high, Math.max(low, dot.height ?? low)), 'y', canvas),
    }));
}

function drawDots(u: uPlot, dots: Dot[]) {
  const { ctx } = u;
  const r = dotSize * devicePixelRatio;
  ctx.save();
  ctx.fillStyle = css('--mantine-color-text');
  ctx.strokeStyle = css('--mw-panel');
  ctx.lineWidth = devicePixelRatio;
  for (const { x, y } of dotsOn(u, dots, true)) {
    ctx.beginPath();
    ctx.moveTo(x, y - r);
    ctx.lineTo(x + r, y);
    ctx.lineTo(x, y + r);
    ctx.lineTo(x - r, y);
    ctx.closePath();
    ctx.fill();
    ctx.stroke();
  }
  ctx.restore();
}

interface Drawn extends ChartProps {
  alone: string | null;
  dark: boolean;
  f: Formats;
  unit: Unit;
  width: number;
  height: number;
}

function options(p: Drawn, onHover: (h: Hover | null) => void, events: { current: ChartProps }): uPlot.Options {
  const grid = { stroke: css('--mw-grid'), width: 1 };
  const text = css('--mw-dim');
  const font = '11px system-ui, sans-serif';
  const bars = p.stacked ? uPlot.paths.bars?.({ size: [0.9, 40], align: 1 }) : undefined;
  let pressed = 0;
  let near: Dot | undefined;
  return {
    width: p.width,
    height: p.height,
    legend: { show: false },
    padding: [8, 8, 0, 0],
    cursor: {
      drag: { x: p.onZoom !== undefined, y: false, setScale: false },
      points: { size: 6 },
      sync: p.sync ? { key: p.sync } : undefined,
      y: false,
    },
    scales: {
      // A bar begins at its time: the last one needs room behind it.
      x: p.stacked ? { time: true, range: (u, low, high) => [low, high + width(u.data[0])] } : { time: true },
      y: {
        range: (_u, low, high) => {
          if (low === null || high === null || low === undefined) return [0, 1];
          let a = Math.min(p.min ?? Math.min(0, low), low);
          let b = Math.max(p.max ?? high, high, p.threshold ?? high);
          if (a === b) b = a + (Math.abs(a) || 1);
          if (p.max === undefined || b > p.max) b += (b - a) * 0.06;
          if (a < 0) a -= (b - a) * 0.06;
          return [a, b];
        },
      },
    },
    axes: [
      {
        stroke: text,
        grid: { show: false },
        ticks: { stroke: css('--mw-line'), size: 4 },
        font,
        size: 26,
        space: 80,
        values: (_u, splits, _a, _s, incr) =>
          splits.map((s) =>
            incr >= 43200
              ? p.f.moment(s * 1000).replace(/[, ]*00:00$/, '')
              : incr >= 60
                ? p.f.minute(s * 1000)
                : p.f.time(s * 1000),
          ),
      },
      {
        stroke: text,
        grid,
        ticks: { show: false },
        font,
        size: 62,
        gap: 4,
        space: 30,
        values: (_u, splits) => splits.map((s) => p.f.value(s, p.unit)),
      },
    ],
    series: [
      {},
      ...p.lines.map((l, i): uPlot.Series => {
        const color = l.color ?? seriesColor(i, p.dark);
        return {
          show: p.alone === null || p.alone === l.name,
          stroke: p.stacked ? undefined : color,
          fill: p.stacked ? color : l.fill ? `${color}22` : undefined,
          width: p.stacked ? 0 : (l.width ?? 1.5),
          dash: l.dash ? [5, 4] : undefined,
          points: p.stacked ? { show: false } : { show: false, size: 4, filter: lonely, fill: color },
          paths: bars,
        };
      }),
    ],
    hooks: {
      setCursor: [
        (u) => {
          const { idx, left = -1, top = -1 } = u.cursor;
          const shown = idx !== null && idx !== undefined && left >= 0;
          near = undefined;
          let reach = dotReach;
          for (const { dot, x, y } of shown ? dotsOn(u, events.current.dots ?? [], false) : []) {
            const far = Math.hypot(x - left, y - top);
            if (far > reach) continue;
            reach = far;
            near = dot;
          }
          u.over.style.cursor = near && events.current.onDot ? 'pointer' : '';
          onHover(shown ? { index: idx, left: left + u.bbox.left / devicePixelRatio, dot: near } : null);
        },
      ],
      setSelect: [
        (u) => {
          if (u.select.width > 4) {
            const from = u.posToVal(u.select.left, 'x') * 1000;
            const to = u.posToVal(u.select.left + u.select.width, 'x') * 1000;
            events.current.onZoom?.(Math.round(from), Math.round(to));
          }
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        },
      ],
      ready: [
        (u) => {
          u.over.addEventListener('mousedown', (e) => {
            pressed = e.clientX;
          });
          u.over.addEventListener('click', (e) => {
            if (Math.abs(e.clientX - pressed) >= 4) return;
            if (near && events.current.onDot) events.current.onDot(near);
            else events.current.onPick?.(u.posToVal(u.cursor.left ?? 0, 'x') * 1000);
          });
        },
      ],
      draw: [
        (u) => drawDots(u, events.current.dots ?? []),
        (u) => {
          if (p.threshold === undefined) return;
          const y = Math.round(u.valToPos(p.threshold, 'y', true));
          const { ctx, bbox } = u;
          ctx.save();
          ctx.strokeStyle = css('--mw-down');
          ctx.lineWidth = devicePixelRatio;
          ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
          ctx.beginPath();
          ctx.moveTo(bbox.left, y);
          ctx.lineTo(bbox.left + bbox.width, y);
          ctx.stroke();
          ctx.restore();
        },
      ],
    },
  };
}
