// Files made in the page.
import type { LogLine } from './lines';

export function save(name: string, type: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const a = document.createElement('a');
  a.href = url;
  a.download = name;
  a.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** cell quotes a value for CSV. What a spreadsheet would run as a formula begins with an apostrophe. */
export function cell(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) && !/^-?\d+(\.\d+)?$/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function csv(head: string[], rows: string[][]): string {
  return [head, ...rows].map((r) => `${r.map(cell).join(',')}\r\n`).join('');
}

export function linesAs(format: 'txt' | 'json' | 'csv', lines: LogLine[]): string {
  const iso = (l: LogLine) => `${new Date(l.time).toISOString().slice(0, 19)}.${l.nanos.slice(-9)}Z`;
  switch (format) {
    case 'txt':
      return lines.map((l) => `${iso(l)} ${l.line}\n`).join('');
    case 'json':
      return `${JSON.stringify(
        lines.map((l) => ({ time: iso(l), level: l.level, line: l.line, labels: { ...l.stream, ...l.found } })),
        null,
        2,
      )}\n`;
    case 'csv': {
      const names = [...new Set(lines.flatMap((l) => Object.keys({ ...l.stream, ...l.found })))].sort();
      return csv(
        ['time', 'level', ...names, 'line'],
        lines.map((l) => {
          const all: Record<string, string> = { ...l.stream, ...l.found };
          return [iso(l), l.level, ...names.map((n) => all[n] ?? ''), l.line];
        }),
      );
    }
  }
}
