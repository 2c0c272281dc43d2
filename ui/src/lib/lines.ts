// Log lines: from Loki's streams to one list, their levels and fields.
import { keyOf, type Labels } from './labels';

export type Level = 'critical' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'unknown';
export const levels: Level[] = ['critical', 'error', 'warn', 'info', 'debug', 'trace', 'unknown'];

export interface LogLine {
  /** Tells lines apart, also those of one moment. */
  id: string;
  /** Nanoseconds since 1970, as Loki writes them. */
  nanos: string;
  /** In ms. */
  time: number;
  line: string;
  /** Labels of the stream. */
  stream: Labels;
  /** Labels of the line: metadata and what the query's parsers found. */
  found: Labels;
  level: Level;
}

/** A value is the time in ns, the line and, where asked for, the labels of the line apart. */
export interface RawStream {
  stream: Labels;
  values: [string, string, { structuredMetadata?: Labels; parsed?: Labels }?][];
}

const words: Record<string, Level> = {
  trace: 'trace',
  trc: 'trace',
  debug: 'debug',
  dbg: 'debug',
  info: 'info',
  inf: 'info',
  information: 'info',
  notice: 'info',
  warn: 'warn',
  wrn: 'warn',
  warning: 'warn',
  error: 'error',
  err: 'error',
  critical: 'critical',
  crit: 'critical',
  alert: 'critical',
  emerg: 'critical',
  emergency: 'critical',
  fatal: 'critical',
  panic: 'critical',
};

export function parseLevel(text: string | undefined): Level {
  return (text && words[text.toLowerCase()]) || 'unknown';
}

const levelNames = ['detected_level', 'level', 'severity', 'severity_text', 'lvl', 'log_level', 'log.level'];
const inLine = /["']?(?:level|lvl|severity|log\.level)["']?\s*[=:]\s*["']?([A-Za-z]+)/i;
const firstWord = /\b(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|ERR|CRITICAL|CRIT|FATAL|PANIC)\b/;

/** levelOf finds a line's level: in its labels, in a field of the line, or in a word in capitals near its beginning. */
export function levelOf(line: string, stream: Labels, found: Labels = {}): Level {
  for (const labels of [found, stream]) {
    for (const name of levelNames) {
      const level = parseLevel(labels[name]);
      if (level !== 'unknown') return level;
    }
  }
  const head = line.slice(0, 400);
  const field = parseLevel(inLine.exec(head)?.[1]);
  return field !== 'unknown' ? field : parseLevel(firstWord.exec(head.slice(0, 120))?.[1]);
}

/** toLines makes one list of streams, newest first unless asked otherwise. */
export function toLines(raw: RawStream[], oldestFirst = false): LogLine[] {
  const out: LogLine[] = [];
  for (const { stream, values } of raw) {
    const key = keyOf(stream);
    const twins = new Map<string, number>();
    for (const [nanos, line, more] of values) {
      const found = { ...more?.structuredMetadata, ...more?.parsed };
      const id = `${nanos} ${key} ${line}`;
      const twin = twins.get(id) ?? 0;
      twins.set(id, twin + 1);
      out.push({
        id: twin ? `${id} ${twin}` : id,
        nanos,
        time: Number(nanos.slice(0, -6)),
        line,
        stream,
        found,
        level: levelOf(line, stream, found),
      });
    }
  }
  const sign = oldestFirst ? 1 : -1;
  return out.sort((a, b) => sign * compareNanos(a.nanos, b.nanos));
}

/** compareNanos orders times of nanoseconds, which a number cannot hold. */
export function compareNanos(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}

/** mergeLines joins newer lines with older ones that they may repeat, newest first, at most limit and none before from. */
export function mergeLines(newer: LogLine[], older: LogLine[], limit: number, from: number): LogLine[] {
  const seen = new Set(newer.map((l) => l.id));
  const all = [...newer, ...older.filter((l) => !seen.has(l.id))].sort((a, b) => -compareNanos(a.nanos, b.nanos));
  const kept = all.slice(0, limit);
  let end = kept.length;
  while (end > 0 && (kept[end - 1] as LogLine).time < from) end--;
  return end === kept.length ? kept : kept.slice(0, end);
}

const messageNames = ['msg', 'message', 'log', 'event', 'error', 'err'];
const saidElsewhere = new Set(['ts', 'time', 'timestamp', '@timestamp', 'level', 'lvl', 'severity']);

/** headline puts what a JSON line says before its other fields, which are written as key=value; other lines have none. */
export function headline(line: string): { message: string; rest: string } | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const all: Record<string, unknown> = JSON.parse(line);
    const name = messageNames.find((n) => typeof all[n] === 'string' && all[n] !== '');
    if (!name) return undefined;
    const rest = Object.entries(all)
      .filter(([k]) => k !== name && !saidElsewhere.has(k))
      .map(([k, v]) => `${k}=${typeof v === 'string' ? v : JSON.stringify(v)}`);
    return { message: all[name] as string, rest: rest.join(' ') };
  } catch {
    return undefined;
  }
}

export type Format = 'json' | 'logfmt' | 'text';

/** formatOf tells how most of the lines are written. */
export function formatOf(lines: Pick<LogLine, 'line'>[]): Format {
  let json = 0;
  let logfmt = 0;
  const sample = lines.slice(0, 100);
  for (const { line } of sample) {
    if (/^\s*\{.*\}\s*$/s.test(line)) json++;
    else if (/(^|\s)[\w.]+=("|\S)/.test(line) && (line.match(/(^|\s)[\w.]+=/g)?.length ?? 0) > 1) logfmt++;
  }
  if (sample.length === 0) return 'text';
  return json * 2 > sample.length ? 'json' : logfmt * 2 > sample.length ? 'logfmt' : 'text';
}

/** fieldsOf reads the fields of one line: of JSON, its own members; of logfmt, its pairs. */
export function fieldsOf(line: string): { parser: 'json' | 'logfmt'; fields: Labels } | undefined {
  if (line.trimStart().startsWith('{')) {
    try {
      const fields: Labels = {};
      flatten('', JSON.parse(line), fields);
      return { parser: 'json', fields };
    } catch {
      // Not JSON after all.
    }
  }
  const fields: Labels = {};
  for (const [, key, quoted, bare] of line.matchAll(/(?:^|\s)([A-Za-z_][\w.]*)=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*))/g))
    fields[key as string] = quoted !== undefined ? quoted.replace(/\\(.)/g, '$1') : (bare ?? '');
  return Object.keys(fields).length > 1 ? { parser: 'logfmt', fields } : undefined;
}

/** flatten names nested members as LogQL's json parser does: a_b. */
function flatten(prefix: string, value: unknown, out: Labels): void {
  if (value === null || Array.isArray(value)) return;
  if (typeof value === 'object') {
    for (const [k, v] of Object.entries(value as object)) flatten(prefix ? `${prefix}_${clean(k)}` : clean(k), v, out);
  } else if (prefix) out[prefix] = String(value);
}

function clean(name: string): string {
  return name.replace(/[^A-Za-z0-9_]/g, '_').replace(/^(\d)/, '_$1');
}
