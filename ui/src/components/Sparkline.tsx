import { useMemo } from 'react';

interface Props {
  /** Values at equal distances; NaN leaves a gap. */
  values: ArrayLike<number>;
  width?: number;
  height?: number;
  /** What the line shows, for those who cannot see it. */
  label: string;
  color?: string;
  /** Lowest value of the scale; by default 0, or the smallest value if that is below. */
  min?: number;
  max?: number;
}

/** Sparkline shows a course without axes: whether something changed, not how much. */
export function Sparkline({ values, width = 96, height = 22, label, color = 'currentColor', min, max }: Props) {
  const { line, area } = useMemo(() => path(values, width, height, min, max), [values, width, height, min, max]);
  if (!line) return null;
  return (
    <svg
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      <path d={area} fill={color} opacity={0.13} />
      <path
        d={line}
        fill="none"
        stroke={color}
        strokeWidth={1.4}
        strokeLinejoin="round"
        vectorEffect="non-scaling-stroke"
      />
    </svg>
  );
}

function path(values: ArrayLike<number>, width: number, height: number, min?: number, max?: number) {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < values.length; i++) {
    const v = values[i] as number;
    if (!Number.isFinite(v)) continue;
    low = Math.min(low, v);
    high = Math.max(high, v);
  }
  if (low > high) return { line: '', area: '' };
  low = min ?? Math.min(0, low);
  high = Math.max(max ?? high, low + Number.EPSILON);
  const x = (i: number) => (values.length < 2 ? width / 2 : (i / (values.length - 1)) * width);
  const y = (v: number) => height - 1.5 - ((Math.min(Math.max(v, low), high) - low) / (high - low)) * (height - 3);
  let line = '';
  let area = '';
  let begin = -1;
  const close = (end: number) => {
    if (begin < 0) return;
    area += `V${height}H${x(begin).toFixed(1)}Z`;
    // A single point has no length: draw a dash, so that it is seen.
    if (end === begin) line += 'h2';
    begin = -1;
  };
  for (let i = 0; i < values.length; i++) {
    const v = values[i] as number;
    if (!Number.isFinite(v)) {
      close(i - 1);
      continue;
    }
    const at = `${x(i).toFixed(1)} ${y(v).toFixed(1)}`;
    if (begin < 0) {
      begin = i;
      line += `M${at}`;
      area += `M${x(i).toFixed(1)} ${height}L${at}`;
    } else {
      line += `L${at}`;
      area += `L${at}`;
    }
  }
  close(values.length - 1);
  return { line, area };
}
