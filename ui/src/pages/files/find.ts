// The lines at which jobs, receivers, groups and rules stand in configuration files.
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type YAMLMap,
} from 'yaml';
import type { Sought } from '../../lib/sought';

/** An Item is one of a list of settings, with where it begins and ends in the text. */
export interface Item {
  map: YAMLMap;
  range: [number, number];
}

/** read parses a text, also one that is still being written. */
export function read(text: string): { doc: Document; lines: LineCounter } {
  const lines = new LineCounter();
  return { doc: parseDocument(text, { lineCounter: lines, merge: true }), lines };
}

const real = (doc: Document, node: unknown) => (isAlias(node) ? node.resolve(doc) : node);

/** itemsOf lists what stands under a key that has a list of settings. */
export function itemsOf(doc: Document, at: unknown, key: string): Item[] {
  const list = isMap(at) ? real(doc, at.get(key, true)) : undefined;
  return (isSeq(list) ? list.items : []).flatMap((item) => {
    const map = real(doc, item);
    const range = (item as Node).range;
    return isMap(map) && range ? [{ map, range: [range[0], range[1]] as [number, number] }] : [];
  });
}

/** settingOf is what a setting says; empty where it says nothing. */
export function settingOf(doc: Document, map: YAMLMap, key: string): string {
  const node = real(doc, map.get(key, true));
  if (!isScalar(node) || node.value === null) return '';
  return (typeof node.value === 'string' ? node.value : (node.source ?? String(node.value))).trim();
}

/** lineOf is the line, from 1, of what is sought; of its group where the rule is not there; 0 where nothing is. */
export function lineOf(text: string, sought: Sought): number {
  const { doc, lines } = read(text);
  const at = (item: Item | undefined) => (item ? lines.linePos(item.range[0]).line : 0);
  const named = (list: string, key: string, name: string) =>
    itemsOf(doc, doc.contents, list).find((x) => settingOf(doc, x.map, key) === name);
  if (sought.job !== undefined) return at(named('scrape_configs', 'job_name', sought.job));
  if (sought.receiver !== undefined) return at(named('receivers', 'name', sought.receiver));
  if (sought.group === undefined) return 0;
  const group = named('groups', 'name', sought.group);
  if (!group || sought.rule === undefined) return at(group);
  const rules = itemsOf(doc, group.map, 'rules').filter(
    ({ map }) => (settingOf(doc, map, 'alert') || settingOf(doc, map, 'record')) === sought.rule,
  );
  return at(rules[Number(sought.nth ?? 0)] ?? rules[0] ?? group);
}
