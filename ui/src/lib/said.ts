// What the server says in English sentences, in the reader's language and with figures as the pages write them. A table
// has a sentence with places for what differs; what is in no table, such as the errors of Prometheus' parser, stays.
import type { Formats } from './format';

/**
 * A Phrase is a sentence of the server, the same in Chinese, and in English for the page where that is to differ. {n} is
 * the place of something of the kind n; a number tells two of a kind apart: {n}, {n2}.
 */
export type Phrase = [said: string, zh: string, en?: string];

/** Kinds of what differs: how it looks, and how it is written for the reader. */
export interface Kind {
  pattern: string;
  write: (text: string, f: Formats, say: Say) => string;
}

export type Say = (text: string, f: Formats) => string;

const asItIs = (text: string) => text;
const number = '-?\\d[\\d.]*(?:e[+-]?\\d+)?';

const secondsOf: Record<string, number> = { h: 3600, m: 60, s: 1, ms: 1e-3, µs: 1e-6, ns: 1e-9 };

/** goSeconds reads a duration as Go writes it: 1m30s, 250ms. */
function goSeconds(text: string): number {
  let total = 0;
  for (const [, n, unit] of text.matchAll(/([\d.]+)(h|ms|m|s|µs|ns)/g))
    total += Number(n) * (secondsOf[unit as string] ?? 0);
  return total;
}

function span(text: string, f: Formats): string {
  const s = goSeconds(text);
  return [86400, 3600, 60].some((one) => s >= one && s % one === 0) || s < 60 ? f.span(s * 1000) : f.seconds(s);
}

const kinds: Record<string, Kind> = {
  /** Any text, such as a name. */
  x: { pattern: '.+?', write: asItIs },
  /** A count. */
  n: { pattern: '\\d+', write: (text, f) => f.count(Number(text)) },
  /** A number, with or without a unit that both languages write alike. */
  g: {
    pattern: `(?:${number}|unbounded)%?`,
    write: (text, f) => (/\de[+-]?\d+$/.test(text) ? f.number(Number(text)) : text),
  },
  /** A time that something took. */
  s: {
    pattern: `(?:${number}|unbounded) (?:µs|ms|s)`,
    write: (text, f) => {
      const [value, unit] = text.split(' ');
      const s = Number(value) * (secondsOf[unit as string] ?? 1);
      return Number.isFinite(s) ? f.seconds(s) : text;
    },
  },
  /** A length of time, as Go writes it. */
  d: { pattern: '(?:[\\d.]+(?:h|ms|m|s|µs|ns))+', write: span },
  /** A moment. */
  t: { pattern: '\\d{4}-\\d\\d-\\d\\dT[\\d:.]+(?:Z|[+-]\\d\\d:\\d\\d)', write: (text, f) => f.exact(Date.parse(text)) },
  /** Sentences one after the other, which are in a table too. */
  l: {
    pattern: '.+?',
    write: (text, f, say) =>
      text
        .split(/(?<=\.) (?=[A-Z0-9])/)
        .map((one) => say(one, f))
        .join(f.locale === 'en' ? ' ' : ''),
  },
  /** A sentence or a part of one, which is in a table too. */
  r: { pattern: '.+?', write: (text, f, say) => say(text, f) },
};

const places = /\{(([a-z])\d*)\}/g;
const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/**
 * sayer makes what says sentences of a table. lists are further kinds: words of closed lists, several of them or counted
 * ones too, with their Chinese. more are kinds with a rule of their own.
 */
export function sayer(
  phrases: Phrase[],
  lists: Record<string, Record<string, string>> = {},
  more: Record<string, Kind> = {},
): Say {
  const known: Record<string, Kind> = { ...kinds, ...more };
  for (const [id, list] of Object.entries(lists)) {
    // The longer first: one may begin with another.
    const names = Object.keys(list).sort((a, b) => b.length - a.length);
    const one = `(?:${names.map(escaped).join('|')})`;
    known[id] = {
      pattern: `(?:\\d+ )?${one}(?:, (?:\\d+ )?${one})*`,
      write: (text, f) =>
        f.locale === 'en' ? text : text.replace(new RegExp(one, 'g'), (x) => list[x] ?? x).replaceAll(', ', '、'),
    };
  }
  let patterns: RegExp[] | undefined;
  const compile = ([said]: Phrase) =>
    new RegExp(
      `^${said
        .split(/(\{[a-z]\d*\})/)
        .map((part, i) => {
          const id = part.slice(1, -1);
          return i % 2 ? `(?<${id}>${known[id.charAt(0)]?.pattern ?? '.+?'})` : escaped(part);
        })
        .join('')}$`,
      's',
    );
  const whole: Say = (text, f) => {
    patterns ??= phrases.map(compile);
    for (const [i, pattern] of patterns.entries()) {
      const match = pattern.exec(text);
      if (!match) continue;
      const found = match.groups ?? {};
      const [said, zh, en = said] = phrases[i] as Phrase;
      return (f.locale === 'en' ? en : zh).replace(places, (_, id: string, kind: string) => {
        const part = found[id] ?? '';
        return known[kind]?.write(part, f, say) ?? part;
      });
    }
    return text;
  };
  // A sentence may have names of what it is about before it.
  const after = (text: string, at: number, f: Formats): string | undefined => {
    const rest = text.slice(at + 2);
    const said = say(rest, f);
    return said === rest ? undefined : `${text.slice(0, at)}${f.locale === 'en' ? ': ' : '：'}${said}`;
  };
  const say: Say = (text, f) => {
    const first = text.indexOf(': ');
    // A name without spaces is one, though it could be the beginning of a sentence with a place for any text.
    const named = first > 0 && !text.slice(0, first).includes(' ');
    const said = (named && after(text, first, f)) || whole(text, f);
    if (said !== text || first < 0 || named) return said;
    return after(text, first, f) ?? text;
  };
  return say;
}
