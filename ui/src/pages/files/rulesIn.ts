// The alerting rules of a rule file, by the lines on which they are written.
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type YAMLMap } from 'yaml';

export interface RuleIn {
  name: string;
  expr: string;
  for: string;
  keepFiringFor: string;
  /** The first and the last line, from 1. */
  from: number;
  to: number;
}

/** rulesIn lists the alerting rules that are whole enough to be evaluated, also of a text that is still being written. */
export function rulesIn(text: string): RuleIn[] {
  const lines = new LineCounter();
  const doc = parseDocument(text, { lineCounter: lines, merge: true });
  const real = (node: unknown) => (isAlias(node) ? node.resolve(doc) : node);
  const out: RuleIn[] = [];
  const groups = isMap(doc.contents) ? real(doc.contents.get('groups', true)) : undefined;
  for (const g of isSeq(groups) ? groups.items : []) {
    const group = real(g);
    const rules = isMap(group) ? real(group.get('rules', true)) : undefined;
    for (const r of isSeq(rules) ? rules.items : []) {
      const rule = real(r);
      if (!isMap(rule) || !(r as Node).range) continue;
      const value = (key: string) => textOf(real((rule as YAMLMap).get(key, true)));
      const [begin, end] = (r as Node).range as [number, number, number];
      const [name, expr] = [value('alert'), value('expr')];
      if (!name || !expr) continue;
      const last = text.slice(begin, end).trimEnd().length;
      out.push({
        name,
        expr,
        for: value('for') || '0s',
        keepFiringFor: value('keep_firing_for'),
        from: lines.linePos(begin).line,
        to: lines.linePos(begin + last).line,
      });
    }
  }
  return out;
}

function textOf(node: unknown): string {
  if (!isScalar(node) || node.value === null) return '';
  return (typeof node.value === 'string' ? node.value : (node.source ?? String(node.value))).trim();
}
