// Where a cursor stands in a YAML text, and which settings may stand there. It reads indentation alone, so that it
// works on texts that are not whole yet.
import type { ConfigSchema } from '../../api/files';

export interface Place {
  /** Settings around the cursor, from the outermost in. */
  path: string[];
  /** What of a setting's name is typed. */
  typed: string;
  /** Settings that are there beside it. */
  beside: string[];
}

const setting = /^(\s*)((?:- +)*)(?:"([^"]+)"|'([^']+)'|([\w./-]+))\s*:(?:\s|$)/;

function indentOf(line: string): number {
  const m = setting.exec(line);
  return m ? (m[1] as string).length + (m[2] as string).length : line.length - line.trimStart().length;
}

function nameOf(line: string): string | undefined {
  const m = setting.exec(line);
  return m ? (m[3] ?? m[4] ?? m[5]) : undefined;
}

/** placeOf finds the place of a cursor; undefined where no setting's name can stand. */
export function placeOf(text: string, cursor: number): Place | undefined {
  const lines = text.split('\n');
  const number = text.slice(0, cursor).split('\n').length - 1;
  const before = text.slice(text.lastIndexOf('\n', cursor - 1) + 1, cursor);
  const m = /^(\s*(?:- +)*)([\w./-]*)$/.exec(before);
  if (!m) return undefined;
  const column = (m[1] as string).length;
  const item = (m[1] as string).includes('-');
  const path: string[] = [];
  let limit = column;
  // A list may stand as deep as the setting that holds it.
  const first = item ? (m[1] as string).indexOf('-') : column;
  for (let i = number - 1; i >= 0 && limit > 0; i--) {
    const line = lines[i] as string;
    if (!line.trim() || line.trimStart().startsWith('#')) continue;
    const at = indentOf(line);
    const dash = line.length - line.trimStart().length;
    const holds = nameOf(line) !== undefined && /:\s*([&!]\S+\s*)?(#.*)?$/.test(line);
    const deep = path.length === 0 && item ? first + 1 : limit;
    if (holds && (at < deep || (path.length === 0 && item && at <= first))) {
      path.unshift(nameOf(line) as string);
      limit = at;
      // "- name:" begins an item of a list whose setting may be as deep as the dash.
      if (/^\s*- /.test(line)) limit = dash + 1;
      if (limit === 0) break;
    } else if (at < limit && nameOf(line) === undefined && !/^\s*-/.test(line)) {
      return undefined; // Inside of a text over several lines.
    } else if (at < limit && /^\s*- /.test(line)) {
      limit = Math.min(limit, dash + 1);
    }
  }
  return { path, typed: m[2] as string, beside: besideOf(lines, number, column, item) };
}

function besideOf(lines: string[], number: number, column: number, item: boolean): string[] {
  const out: string[] = [];
  const scan = (from: number, step: number) => {
    for (let i = from; i >= 0 && i < lines.length; i += step) {
      const line = lines[i] as string;
      if (!line.trim() || line.trimStart().startsWith('#')) continue;
      const at = indentOf(line);
      const begins = /^\s*- /.test(line);
      if (step > 0 && begins && line.length - line.trimStart().length < column) return;
      if (at < column) return;
      const name = nameOf(line);
      if (at === column && name) out.push(name);
      if (step < 0 && begins && at === column) return;
    }
  };
  if (!item) scan(number - 1, -1);
  scan(number + 1, 1);
  return out;
}

export interface Offer {
  name: string;
  detail: string;
  /** What is put in after the name. */
  after: string;
}

/** offersOf are the settings that may stand at a place. */
export function offersOf(schema: ConfigSchema, place: Place): Offer[] {
  let type = schema.root;
  let free = false;
  for (const name of place.path) {
    if (free) {
      free = false; // A name of one's own, below which the type of the values holds.
      continue;
    }
    const s = schema.types[type]?.[name];
    if (!s) return [];
    type = s.type ?? '';
    free = s.map === true;
  }
  if (free) return [];
  return Object.entries(schema.types[type] ?? {})
    .filter(([name]) => !place.beside.includes(name))
    .map(([name, s]) => ({
      name,
      detail: s.list ? 'list' : s.map || s.type ? 'mapping' : (s.value ?? ''),
      after: s.list || s.map || s.type ? ':' : ': ',
    }))
    .sort((a, b) => a.name.localeCompare(b.name));
}
