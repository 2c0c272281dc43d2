// Label sets, as PromQL writes them.
export type Labels = Record<string, string>;

export function quote(text: string): string {
  return `"${text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n')}"`;
}

/** selector writes {a="b",…} of equality matchers; undefined values are left out. */
export function selector(labels: Record<string, string | undefined>, metric = ''): string {
  const parts = Object.entries(labels)
    .filter((e): e is [string, string] => e[1] !== undefined)
    .map(([k, v]) => `${k}=${quote(v)}`);
  return parts.length || !metric ? `${metric}{${parts.join(',')}}` : metric;
}

/** keyOf is equal for equal label sets. */
export function keyOf(labels: Labels): string {
  return JSON.stringify(
    Object.keys(labels)
      .sort()
      .map((k) => [k, labels[k]]),
  );
}

/** nameOf is a short name of a series among others: its metric and the labels that are not the same in all of them. */
export function nameOf(labels: Labels, all: Labels[] = []): string {
  const { __name__: metric, ...rest } = labels;
  let entries = Object.entries(rest);
  if (all.length > 1) {
    const telling = entries.filter(([k, v]) => all.some((other) => other[k] !== v));
    if (telling.length) entries = telling;
  }
  const text = entries.map(([k, v]) => `${k}=${quote(v)}`).join(', ');
  return metric ? (text ? `${metric}{${text}}` : metric) : `{${text}}`;
}
