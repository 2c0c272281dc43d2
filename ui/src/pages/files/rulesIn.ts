// The alerting rules of a rule file, by the lines on which they are written.
import { itemsOf, read, settingOf } from './find';

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
  const { doc, lines } = read(text);
  const out: RuleIn[] = [];
  for (const group of itemsOf(doc, doc.contents, 'groups')) {
    for (const { map, range } of itemsOf(doc, group.map, 'rules')) {
      const value = (key: string) => settingOf(doc, map, key);
      const [name, expr] = [value('alert'), value('expr')];
      if (!name || !expr) continue;
      const last = text.slice(...range).trimEnd().length;
      out.push({
        name,
        expr,
        for: value('for') || '0s',
        keepFiringFor: value('keep_firing_for'),
        from: lines.linePos(range[0]).line,
        to: lines.linePos(range[0] + last).line,
      });
    }
  }
  return out;
}
