// Matchers of Alertmanager: name="value", name!="value", name=~"regex", name!~"regex".
import { type Labels, quote } from './labels';

export interface Matcher {
  name: string;
  value: string;
  isRegex: boolean;
  isEqual: boolean;
}

export const ops = ['=', '!=', '=~', '!~'] as const;
export type MatchOp = (typeof ops)[number];

export function opOf(m: Matcher): MatchOp {
  return m.isRegex ? (m.isEqual ? '=~' : '!~') : m.isEqual ? '=' : '!=';
}

export function withOp(m: Matcher, op: MatchOp): Matcher {
  return { ...m, isRegex: op.endsWith('~'), isEqual: op.startsWith('=') };
}

export function writeMatcher(m: Matcher): string {
  const name = /^[a-zA-Z_:][\w:]*$/.test(m.name) ? m.name : quote(m.name);
  return `${name}${opOf(m)}${quote(m.value)}`;
}

/** parseMatchers reads matchers between optional braces; undefined where it cannot. Values may stand without quotes. */
export function parseMatchers(text: string): Matcher[] | undefined {
  let rest = text.trim();
  if (rest.startsWith('{') && rest.endsWith('}')) rest = rest.slice(1, -1).trim();
  const out: Matcher[] = [];
  while (rest) {
    const found = /^("(?:[^"\\]|\\.)*"|[^\s=!~,{}"]+)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*"|[^",{}]*)\s*(?:,|$)\s*/s.exec(
      rest,
    );
    if (!found) return undefined;
    const [whole, name, op, value] = found as unknown as [string, string, MatchOp, string];
    out.push(withOp({ name: unquote(name), value: unquote(value.trim()), isRegex: false, isEqual: true }, op));
    rest = rest.slice(whole.length);
  }
  return out;
}

function unquote(text: string): string {
  return text.startsWith('"') ? text.slice(1, -1).replace(/\\(.)/gs, (_, c: string) => (c === 'n' ? '\n' : c)) : text;
}

/** equalTo makes matchers that select exactly what has these labels. */
export function equalTo(labels: Labels): Matcher[] {
  return Object.entries(labels)
    .sort(([a], [b]) => (a === 'alertname' ? -1 : b === 'alertname' ? 1 : a < b ? -1 : 1))
    .map(([name, value]) => ({ name, value, isRegex: false, isEqual: true }));
}

/** regexProblem says why a regular expression is wrong, roughly as the server will; '' where it is right. */
export function regexProblem(m: Matcher): string {
  if (!m.isRegex) return '';
  try {
    new RegExp(`^(?:${m.value})$`);
    return '';
  } catch (err) {
    return err instanceof Error ? err.message : String(err);
  }
}

/** hidesAll tells whether matchers match an alert without labels, which the server refuses. */
export function hidesAll(matchers: Matcher[]): boolean {
  return matchers.every((m) => {
    if (!m.isRegex) return m.isEqual ? m.value === '' : m.value !== '';
    if (regexProblem(m)) return false;
    return new RegExp(`^(?:${m.value})$`).test('') === m.isEqual;
  });
}
