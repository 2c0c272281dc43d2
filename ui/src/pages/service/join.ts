// Several range queries as one, each with a label of its own.
import type { UseQueryResult } from '@tanstack/react-query';
import type { Matrix } from '../../lib/matrix';

/** joinRanges is pending until all are there, and fails as the first that fails. */
export function joinRanges(queries: UseQueryResult<Matrix>[], values: string[], label: string): UseQueryResult<Matrix> {
  const first = queries[0] as UseQueryResult<Matrix>;
  const failed = queries.find((q) => q.isError);
  const all = queries.map((q) => q.data);
  let data: Matrix | undefined;
  // While the clock moves on, some may be a step ahead: their grids are laid over the first one's.
  if (all.every((m): m is Matrix => m !== undefined) && all[0]) {
    const { start, step, count } = all[0];
    data = {
      start,
      step,
      count,
      warnings: all.flatMap((m) => m.warnings),
      series: all.flatMap((m, i) =>
        m.series.map((s) => ({
          labels: { ...s.labels, [label]: values[i] as string },
          values:
            m.start === start && m.count === count
              ? s.values
              : shift(s.values, Math.round((m.start - start) / step), count),
        })),
      ),
    };
  }
  return { ...(failed ?? first), data, refetch: first.refetch } as UseQueryResult<Matrix>;
}

function shift(values: Float64Array, by: number, count: number): Float64Array {
  const out = new Float64Array(count).fill(Number.NaN);
  for (let i = 0; i < values.length; i++) {
    const at = i + by;
    if (at >= 0 && at < count) out[at] = values[i] as number;
  }
  return out;
}
