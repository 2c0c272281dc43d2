// PromQL by clicks: a metric, label filters, a function over time and an aggregation.
import { quote } from '../../lib/labels';

export type Op = '=' | '!=' | '=~' | '!~';

export interface Filter {
  name: string;
  op: Op;
  value: string;
}

export interface Spec {
  metric: string;
  filters: Filter[];
  /** A function over a window, such as rate; '' is none. */
  fn: string;
  window: string;
  /** An aggregation, such as sum; '' is none. */
  agg: string;
  by: string[];
  /** 0.95 for histogram_quantile; undefined is none. */
  quantile?: number;
}

export const empty: Spec = { metric: '', filters: [], fn: '', window: '5m', agg: '', by: [] };

export const functions = [
  'rate',
  'increase',
  'irate',
  'delta',
  'deriv',
  'changes',
  'resets',
  'avg_over_time',
  'min_over_time',
  'max_over_time',
  'sum_over_time',
  'count_over_time',
  'stddev_over_time',
  'last_over_time',
];
export const aggregations = ['sum', 'avg', 'min', 'max', 'count', 'stddev', 'group'];

/** suggest is what most often is wanted of a metric of a type. */
export function suggest(name: string, type: string | undefined): Pick<Spec, 'fn' | 'agg' | 'by' | 'quantile'> {
  if (type === 'counter' || /_total$/.test(name)) return { fn: 'rate', agg: '', by: [], quantile: undefined };
  if (/_bucket$/.test(name)) return { fn: 'rate', agg: 'sum', by: ['le'], quantile: 0.95 };
  if (/_(sum|count)$/.test(name) && (type === 'histogram' || type === 'summary'))
    return { fn: 'rate', agg: '', by: [], quantile: undefined };
  return { fn: '', agg: '', by: [], quantile: undefined };
}

const plainMetric = /^[a-zA-Z_:][\w:]*$/;
const plainLabel = /^[a-zA-Z_]\w*$/;
const labelText = (name: string) => (plainLabel.test(name) ? name : quote(name));

export function build(s: Spec): string {
  if (!s.metric && !s.filters.some((f) => f.name)) return '';
  const plain = plainMetric.test(s.metric);
  const parts = s.filters.filter((f) => f.name).map((f) => `${labelText(f.name)}${f.op}${quote(f.value)}`);
  if (s.metric && !plain) parts.unshift(quote(s.metric));
  let text = `${plain ? s.metric : ''}${parts.length || !plain ? `{${parts.join(', ')}}` : ''}`;
  if (s.fn) text = `${s.fn}(${text}[${s.window}])`;
  if (s.agg) text = `${s.agg}${s.by.length ? ` by (${s.by.map(labelText).join(', ')})` : ''} (${text})`;
  if (s.quantile !== undefined) text = `histogram_quantile(${s.quantile}, ${text})`;
  return text;
}

/** parse reads what build writes, however it is spaced; undefined for anything else. */
export function parse(text: string): Spec | undefined {
  const s: Spec = { ...empty, filters: [] };
  let rest = text.trim();
  if (!rest) return s;
  const q = /^histogram_quantile\s*\(\s*([\d.]+)\s*,(.*)\)$/s.exec(rest);
  if (q) {
    s.quantile = Number(q[1]);
    rest = (q[2] as string).trim();
  }
  const names = aggregations.join('|');
  const behind = new RegExp(`^(${names})\\s*\\((.*)\\)\\s*by\\s*\\(([^()]*)\\)$`, 's').exec(rest);
  const before = new RegExp(`^(${names})\\s*(?:by\\s*\\(([^()]*)\\)\\s*)?\\((.*)\\)$`, 's').exec(rest);
  const agg = behind ? [behind[1], behind[3], behind[2]] : before?.slice(1);
  if (agg) {
    s.agg = agg[0] as string;
    s.by = (agg[1] ?? '')
      .split(',')
      .map((x) => x.trim().replace(/^"(.*)"$/, '$1'))
      .filter(Boolean);
    rest = (agg[2] as string).trim();
  }
  const f = new RegExp(`^(${functions.join('|')})\\s*\\((.*)\\[([\\dhmsdwy]+)\\]\\s*\\)$`, 's').exec(rest);
  if (f) {
    s.fn = f[1] as string;
    s.window = f[3] as string;
    rest = (f[2] as string).trim();
  }
  const m = /^([a-zA-Z_:][\w:]*)?\s*(?:\{(.*)\})?$/s.exec(rest);
  if (!m) return undefined;
  s.metric = m[1] ?? '';
  let inner = (m[2] ?? '').trim();
  while (inner) {
    const one =
      /^("(?:[^"\\]|\\.)*"|[a-zA-Z_]\w*)\s*(?:(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*"|'[^'\\]*'))?\s*(?:,|$)\s*/s.exec(inner);
    if (!one) return undefined;
    const [whole, name, op, value] = one as unknown as [string, string, Op | undefined, string];
    if (op) s.filters.push({ name: unquote(name), op, value: unquote(value) });
    else if (name.startsWith('"') && !s.metric) s.metric = unquote(name);
    else return undefined;
    inner = inner.slice(whole.length).trim();
  }
  return s.metric || s.filters.length ? s : undefined;
}

function unquote(text: string): string {
  if (text.startsWith("'")) return text.slice(1, -1);
  return text.startsWith('"') ? text.slice(1, -1).replace(/\\(.)/g, (_, c: string) => (c === 'n' ? '\n' : c)) : text;
}
