// Addresses of Prometheus's and Alertmanager's own pages, as mails, rules and bookmarks have them.
import { parseDuration } from './duration';
import { writeRange } from './range';

/** Pages that have another path here. */
const paths: Record<string, string> = {
  rules: '/alerts/rules',
  targets: '/status',
  'service-discovery': '/status/discovery',
  'tsdb-status': '/status/cardinality',
  config: '/status/configuration',
  flags: '/status/configuration',
  status: '/status/about',
};

/**
 * moved is where an address of old leads now, as path and query below the prefix; undefined for any other address. The
 * path begins behind the prefix.
 */
export function moved(path: string, search: string, hash: string, now = Date.now()): string | undefined {
  const name = path.replace(/^\/+|\/+$/g, '');
  if ((name === '' || name === 'alertmanager') && hash.startsWith('#/')) return ofAlertmanager(hash);
  if (name === 'graph' || name === 'query') return ofGraph(new URLSearchParams(search), now);
  // Of these only what is not a page here.
  return name in paths && name !== 'status' ? paths[name] : undefined;
}

/** ofGraph reads g0.expr, g1.expr, … and the range of the first. */
function ofGraph(p: URLSearchParams, now: number): string {
  const out = new URLSearchParams();
  const numbers = [...new Set([...p.keys()].map((k) => /^g(\d+)\.expr$/.exec(k)?.[1]).filter((n) => n !== undefined))];
  numbers.sort((a, b) => Number(a) - Number(b));
  for (const n of numbers) {
    const expr = p.get(`g${n}.expr`);
    if (expr) out.append('metrics', expr);
  }
  const g = (name: string) => p.get(`g${numbers[0] ?? 0}.${name}`) ?? '';
  if (g('tab') === '1' || g('tab') === 'table') out.set('show', 'table');
  const width = parseDuration(g('range_input'));
  const end = g('end_input') || g('moment_input');
  // Both servers mean UTC where an address names no zone.
  const to = end ? Date.parse(/[zZ]|[+-]\d\d:?\d\d$/.test(end) ? end : `${end.replace(' ', 'T')}Z`) : Number.NaN;
  if (!Number.isNaN(to)) writeRange(out, { from: to - (width ?? 36e5), to: Math.min(to, Math.max(now, to)) });
  else if (width) writeRange(out, { last: width });
  const text = out.toString();
  return text ? `/explore?${text}` : '/explore';
}

/** ofAlertmanager reads what stands behind the #: alerts, silences, a silence, status. */
function ofAlertmanager(hash: string): string | undefined {
  const url = new URL(hash.slice(1), 'http://localhost');
  const [, page, second] = url.pathname.split('/');
  const query = new URLSearchParams();
  for (const name of ['receiver', 'filter', 'silenced', 'inhibited', 'active']) {
    const value = url.searchParams.get(name);
    if (value) query.set(name, value);
  }
  const text = query.toString() ? `?${query}` : '';
  switch (page) {
    case 'alerts':
      return `/alerts${text}`;
    case 'silences':
      if (second === 'new') return `/alerts/silences?new=1${text.replace('?', '&')}`;
      return second ? `/alerts/silences?id=${encodeURIComponent(second)}` : `/alerts/silences${text}`;
    case 'status':
      return '/alerts/routing';
    default:
      return undefined;
  }
}
