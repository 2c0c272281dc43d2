// The unit of a query's answer, by the names that Prometheus's conventions give to metrics.
import type { Unit } from '../../lib/format';

const keeping = new Set(
  'sum avg min max quantile topk bottomk stddev abs sort sort_desc clamp clamp_min clamp_max label_replace label_join avg_over_time min_over_time max_over_time quantile_over_time last_over_time stddev_over_time'.split(
    ' ',
  ),
);
/** Of a histogram's buckets these give what was observed, whatever was done to the counts. */
const observing = new Set(['histogram_quantile', 'histogram_avg']);

/** unitOf is "number" where a query does more than choose, join or sum one metric, or its name tells no unit. */
export function unitOf(expr: string): Unit {
  const bare = expr
    .replace(/"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'/g, '')
    .replace(/\{[^}]*\}|\[[^\]]*\]/g, '')
    .replace(/\b(by|without)\s*\([^)]*\)/g, '');
  if (/[-+*/%^<>=!@]|\b(and|or|unless|offset|bool)\b/.test(bare)) return 'number';
  const names = [...bare.matchAll(/([a-zA-Z_:][\w:]*)\s*(\(?)/g)];
  const functions = names.filter((n) => n[2]).map((n) => n[1] as string);
  const metrics = names.filter((n) => !n[2]).map((n) => n[1] as string);
  const observed = functions.some((name) => observing.has(name));
  if (metrics.length !== 1 || !(observed || functions.every((name) => keeping.has(name)))) return 'number';
  const metric = (metrics[0] as string).replace(/_bucket$/, observed ? '' : '$&');
  // A moment is no length of time.
  if (/_time_seconds$|_timestamp/.test(metric)) return 'number';
  if (metric.endsWith('_seconds')) return 'seconds';
  if (metric.endsWith('_bytes')) return 'bytes';
  if (metric.endsWith('_ratio')) return 'ratio';
  return 'number';
}

/** unitOfAll is the unit that all queries have. */
export function unitOfAll(exprs: string[]): Unit {
  const units = new Set(exprs.map(unitOf));
  return units.size === 1 ? ([...units][0] as Unit) : 'number';
}
