// Rules as a form writes them.
export const ruleKinds = ['threshold', 'errors', 'latency', 'down', 'nodata', 'drift', 'logs', 'own'] as const;
export type RuleKind = (typeof ruleKinds)[number];

export interface RuleForm {
  kind: RuleKind;
  name: string;
  metric: string;
  matchers: string;
  errorMatcher: string;
  by: string;
  op: '>' | '<';
  value: string;
  quantile: string;
  window: string;
  text: string;
  expr: string;
  for: string;
  severity: string;
  summary: string;
}

/** What the form begins with. */
export const starts: Record<RuleKind, Partial<RuleForm>> = {
  threshold: { name: 'MemoryHigh', metric: 'node_memory_usage_bytes', op: '>', value: '8e9', for: '5m' },
  errors: {
    name: 'ErrorRatioHigh',
    metric: 'http_requests_total',
    errorMatcher: 'status=~"5.."',
    by: 'service',
    op: '>',
    value: '5',
    window: '5m',
    for: '5m',
  },
  latency: {
    name: 'LatencyHigh',
    metric: 'http_request_duration_seconds_bucket',
    by: 'service',
    quantile: '0.95',
    value: '1',
    op: '>',
    window: '5m',
    for: '5m',
  },
  down: { name: 'TargetDown', matchers: '', for: '2m' },
  nodata: { name: 'NoData', metric: 'model_qps', window: '10m', for: '0s' },
  drift: { name: 'FeatureDrifted', matchers: '', for: '0s' },
  logs: {
    name: 'ErrorLines',
    matchers: 'service=~".+"',
    text: 'ERROR',
    by: 'service',
    op: '>',
    value: '10',
    window: '5m',
    for: '0s',
  },
  own: { name: 'MyAlert', expr: 'up == 0', for: '5m' },
};

export function startOf(kind: RuleKind): RuleForm {
  return {
    kind,
    name: '',
    metric: '',
    matchers: '',
    errorMatcher: '',
    by: '',
    op: '>',
    value: '',
    quantile: '',
    window: '5m',
    text: '',
    expr: '',
    for: '5m',
    severity: 'warning',
    summary: '',
    ...starts[kind],
  };
}

function selector(metric: string, ...matchers: string[]): string {
  const inside = matchers
    .map((m) => m.trim())
    .filter(Boolean)
    .join(', ');
  return inside ? `${metric}{${inside}}` : metric;
}

/** exprOf writes the expression; empty where something is missing. */
export function exprOf(f: RuleForm): string {
  const metric = f.metric.trim();
  const by = f.by.trim();
  const sum = by ? `sum by (${by}) ` : 'sum';
  const value = f.value.trim();
  switch (f.kind) {
    case 'threshold':
      return metric && value ? `${selector(metric, f.matchers)} ${f.op} ${value}` : '';
    case 'errors': {
      if (!metric || !f.errorMatcher.trim() || !Number.isFinite(Number(value)) || !value) return '';
      const rate = (...m: string[]) => `${sum}(rate(${selector(metric, ...m)}[${f.window}]))`;
      return `${rate(f.errorMatcher, f.matchers)} / ${rate(f.matchers)} > ${Number((Number(value) / 100).toPrecision(10))}`;
    }
    case 'latency':
      return metric && f.quantile && value
        ? `histogram_quantile(${f.quantile}, sum by (${['le', by].filter(Boolean).join(', ')}) (rate(${selector(metric, f.matchers)}[${f.window}]))) > ${value}`
        : '';
    case 'down':
      return `${selector('up', f.matchers)} == 0`;
    case 'nodata':
      return metric ? `absent_over_time(${selector(metric, f.matchers)}[${f.window}])` : '';
    case 'drift':
      return `max without (job, instance, severity) (${selector('modelwatch_finding_score', 'kind="drift"', f.matchers)})`;
    case 'logs':
      return f.matchers.trim() && value
        ? `${sum}(count_over_time({${f.matchers.trim()}}${f.text ? ` |= ${JSON.stringify(f.text)}` : ''} [${f.window}])) ${f.op} ${value}`
        : '';
    default:
      return f.expr.trim();
  }
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** yamlOf writes the rule as an item of a list, without indentation. */
export function yamlOf(f: RuleForm): string[] {
  const expr = exprOf(f);
  const out = [`- alert: ${/^\w+$/.test(f.name) ? f.name : quote(f.name)}`];
  if (expr.includes('\n')) out.push('  expr: |', ...expr.split('\n').map((l) => `    ${l}`));
  else out.push(`  expr: ${/^[A-Za-z(][^#'"]*$/.test(expr) && !expr.includes(': ') ? expr : quote(expr)}`);
  if (f.for && f.for !== '0s') out.push(`  for: ${f.for}`);
  out.push('  labels:', `    severity: ${f.severity}`);
  if (f.summary) out.push('  annotations:', `    summary: ${quote(f.summary)}`);
  return out;
}

/** groupsOf lists the names of the groups in a rule file. */
export function groupsOf(text: string): string[] {
  return [...text.matchAll(/^\s*-\s+name:\s*(?:"([^"]*)"|'([^']*)'|([^#\n]*?))\s*(?:#.*)?$/gm)].map(
    (m) => m[1] ?? m[2] ?? m[3] ?? '',
  );
}

/**
 * insert puts a rule at the end of a group, or into a new group, and leaves all other lines as they are. It gives the
 * text and the line, from 1, on which the rule begins; undefined for a file in a notation that it cannot add to.
 */
export function insert(text: string, group: string, rule: string[]): { text: string; line: number } | undefined {
  const lines = text.replace(/\n+$/, '').split('\n');
  const deep = (l: string) => l.length - l.trimStart().length;
  const bare = (l: string) => l.trim() === '' || l.trimStart().startsWith('#');
  const put = (at: number, indent: number, what: string[]) => {
    lines.splice(at, 0, ...what.map((l) => ' '.repeat(indent) + l));
    return { text: `${lines.join('\n')}\n`, line: at + 1 };
  };
  const head = lines.findIndex((l) => {
    const m = /^\s*-\s+name:\s*(?:"([^"]*)"|'([^']*)'|([^#]*?))\s*(?:#.*)?$/.exec(l);
    return m !== null && (m[1] ?? m[2] ?? m[3]) === group;
  });
  if (head >= 0) {
    const dash = deep(lines[head] as string);
    let end = head + 1;
    while (end < lines.length && (bare(lines[end] as string) || deep(lines[end] as string) > dash)) end++;
    const rules = lines.findIndex((l, i) => i > head && i < end && /^\s+rules:\s*(#.*)?$/.test(l));
    if (rules < 0) return undefined;
    const key = deep(lines[rules] as string);
    let last = rules;
    let indent = -1;
    for (let i = rules + 1; i < end; i++) {
      const l = lines[i] as string;
      if (bare(l)) continue;
      if (deep(l) < key || (deep(l) === key && !l.trimStart().startsWith('-'))) break;
      if (indent < 0) indent = deep(l);
      last = i;
    }
    return put(last + 1, indent < 0 ? key + 2 : indent, rule);
  }
  const groups = lines.findIndex((l) => /^groups:/.test(l));
  const made = [
    `- name: ${/^[\w.-]+$/.test(group) ? group : quote(group)}`,
    '  rules:',
    ...rule.map((l) => `    ${l}`),
  ];
  if (groups < 0) {
    if (lines.some((l) => !bare(l))) return undefined;
    if (lines.length === 1 && lines[0] === '') lines.pop();
    lines.push('groups:');
    const done = put(lines.length, 2, made);
    return { ...done, line: done.line + 2 };
  }
  if (/^groups:\s*\[\s*\]\s*(#.*)?$/.test(lines[groups] as string)) lines[groups] = 'groups:';
  else if (!/^groups:\s*(#.*)?$/.test(lines[groups] as string)) return undefined;
  let last = groups;
  let indent = 2;
  for (let i = groups + 1; i < lines.length; i++) {
    const l = lines[i] as string;
    if (bare(l)) continue;
    if (deep(l) === 0 && !l.startsWith('-')) break;
    if (last === groups) indent = deep(l);
    last = i;
  }
  const done = put(last + 1, indent, made);
  return { ...done, line: done.line + 2 };
}
