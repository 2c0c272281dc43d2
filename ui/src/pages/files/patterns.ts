// The list rule_files of a prometheus.yml.
import { isMap, isSeq, type Node, parseDocument } from 'yaml';

/**
 * addPattern puts a pattern at the end of rule_files, and leaves all else as it is. It gives the text and the line, from
 * 1, of the pattern; undefined for a file in a notation that it cannot add to.
 */
export function addPattern(text: string, pattern: string): { text: string; line: number } | undefined {
  const doc = parseDocument(text);
  if (doc.errors.length > 0) return undefined;
  const put = (at: number, what: string, newLine: boolean) => ({
    text: text.slice(0, at) + what + text.slice(at),
    line: text.slice(0, at).split('\n').length + (newLine ? 1 : 0),
  });
  if (!doc.has('rule_files')) {
    if (doc.contents !== null && !isMap(doc.contents)) return undefined;
    const end = text === '' || text.endsWith('\n') ? '' : '\n';
    const done = put(text.length, `${end}rule_files:\n  - ${pattern}\n`, true);
    return end ? { ...done, line: done.line + 1 } : done;
  }
  const list = doc.get('rule_files', true);
  if (!isSeq(list) || !list.range) return undefined;
  if (list.flow) {
    const close = list.range[1] - 1;
    const inside = text.slice(list.range[0] + 1, close);
    const kept = inside.replace(/[\s,]+$/, '');
    if (/#.*$/.test(kept.split('\n').pop() ?? '')) return undefined; // A comment would swallow it.
    return put(list.range[0] + 1 + kept.length, kept.trim() ? `, ${pattern}` : pattern, false);
  }
  const last = list.items.at(-1) as Node | undefined;
  if (!last?.range) return undefined;
  const begin = text.lastIndexOf('\n', last.range[0] - 1) + 1;
  const indent = /^\s*/.exec(text.slice(begin))?.[0] ?? '';
  const rest = text.indexOf('\n', last.range[1] - 1);
  if (rest < 0) return put(text.length, `\n${indent}- ${pattern}\n`, true);
  return put(rest, `\n${indent}- ${pattern}`, true);
}
