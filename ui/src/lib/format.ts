// Numbers, units and times in the reader's language, by Intl.
import { type Locale, useLocale } from './words';

/** Unit of a value: what a metric's catalogue says, or the one of a chart. */
export type Unit = 'number' | 'ratio' | 'seconds' | 'bytes' | 'rate' | 'count';

/** Symbols of units that Intl abbreviates by English words. */
const symbols: Record<string, string> = { sec: 's', hr: 'h', byte: 'B' };

/** power writes an exponent as people do, on one line with its number. */
const power = (_: string, exponent: string) =>
  `\u00a0×\u00a010${[...exponent].map((c) => (c === '-' ? '⁻' : '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(c)])).join('')}`;

export type Formats = ReturnType<typeof formats>;

export function formats(locale: Locale) {
  const cache = new Map<string, Intl.NumberFormat>();
  const by = (options: Intl.NumberFormatOptions) => {
    const key = JSON.stringify(options);
    let f = cache.get(key);
    if (!f) {
      f = new Intl.NumberFormat(locale, options);
      cache.set(key, f);
    }
    return f;
  };
  const number = (v: number): string => {
    if (!Number.isFinite(v)) return Number.isNaN(v) ? '–' : v > 0 ? '∞' : '−∞';
    const size = Math.abs(v);
    if (size >= 1e5) return by({ notation: 'compact', maximumSignificantDigits: 4 }).format(v);
    if (size > 0 && size < 1e-4) {
      return by({ notation: 'scientific', maximumSignificantDigits: 3 })
        .format(v)
        .replace(/E(-?\d+)$/, power);
    }
    return by({ maximumSignificantDigits: size >= 1000 ? 6 : 4 }).format(v);
  };
  const count = (v: number): string => by({ maximumFractionDigits: 0 }).format(v);
  const ratio = (v: number): string => {
    if (!Number.isFinite(v)) return '–';
    const size = Math.abs(v);
    // 99.96 % must not round up to 100 %.
    const near = Math.min(size, Math.abs(1 - size));
    const digits = near === 0 ? 0 : near < 0.001 ? 3 : near < 0.1 ? 2 : 1;
    return by({ style: 'percent', maximumFractionDigits: digits }).format(v);
  };
  const unit = (v: number, name: string, digits = 3) =>
    by({ style: 'unit', unit: name, unitDisplay: 'short', maximumSignificantDigits: digits })
      .format(v)
      .replace(/[a-z]+$/, (word) => symbols[word] ?? word);
  const seconds = (v: number): string => {
    if (!Number.isFinite(v)) return '–';
    const size = Math.abs(v);
    if (size === 0) return unit(0, 'second');
    if (size < 1e-3) return unit(v * 1e6, 'microsecond');
    if (size < 0.9995) return unit(v * 1e3, 'millisecond');
    if (size < 90) return unit(v, 'second');
    if (size < 90 * 60) return unit(v / 60, 'minute', 2);
    if (size < 36 * 3600) return unit(v / 3600, 'hour', 2);
    return unit(v / 86400, 'day', 3);
  };
  const bytes = (v: number): string => {
    if (!Number.isFinite(v)) return '–';
    const names = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte', 'petabyte'];
    let i = 0;
    let rest = v;
    while (Math.abs(rest) >= 999.5 && i < names.length - 1) {
      rest /= 1000;
      i++;
    }
    return unit(rest, names[i] as string);
  };
  const rate = (v: number): string => (Number.isFinite(v) ? `${number(v)}/${locale === 'en' ? 's' : '秒'}` : '–');

  const clock = new Intl.DateTimeFormat(locale, {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
  });
  const minute = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
  const moment = new Intl.DateTimeFormat(locale, {
    month: 'short',
    day: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  });
  const exact = new Intl.DateTimeFormat(locale, {
    month: 'short',
    day: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
  });
  const full = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'long', hourCycle: 'h23' });
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto', style: 'short' });
  const distance = (v: number, name: Intl.RelativeTimeFormatUnit) =>
    relative.format(Math.round(v), name).replace(/\b(sec|min|hr)\./, (_, word: string) => symbols[word] ?? word);
  const ago = (ms: number, now: number = Date.now()): string => {
    const s = (ms - now) / 1000;
    const size = Math.abs(s);
    if (size < 60) return distance(s, 'second');
    if (size < 90 * 60) return distance(s / 60, 'minute');
    if (size < 36 * 3600) return distance(s / 3600, 'hour');
    return distance(s / 86400, 'day');
  };
  const span = (ms: number): string => {
    const [name, size] = (
      [
        ['day', 864e5],
        ['hour', 36e5],
        ['minute', 6e4],
      ] as const
    ).find(([, one]) => ms >= one && Number.isInteger(ms / one)) ?? ['second', 1000];
    return by({ style: 'unit', unit: name, unitDisplay: 'long', maximumFractionDigits: 1 }).format(ms / size);
  };
  const value = (v: number, u: Unit = 'number'): string => {
    switch (u) {
      case 'ratio':
        return ratio(v);
      case 'seconds':
        return seconds(v);
      case 'bytes':
        return bytes(v);
      case 'rate':
        return rate(v);
      case 'count':
        return count(v);
      default:
        return number(v);
    }
  };
  return {
    locale,
    /** comma stands between parts of a sentence. */
    comma: locale === 'en' ? ', ' : '，',
    /** semicolon stands between sentences that belong together. */
    semicolon: locale === 'en' ? '; ' : '；',
    /** value writes v in its unit. */
    value,
    number,
    count,
    ratio,
    seconds,
    bytes,
    rate,
    /** time is the clock of a moment in ms, with seconds. */
    time: (ms: number) => clock.format(ms),
    /** minute is the clock without seconds. */
    minute: (ms: number) => minute.format(ms),
    /** moment is day and time, without seconds. */
    moment: (ms: number) => moment.format(ms),
    /** exact is day and time, with seconds. */
    exact: (ms: number) => exact.format(ms),
    /** between is a span of time, without saying twice what is the same at both ends. */
    between: (from: number, to: number) => exact.formatRange(from, to),
    /** full is everything, with the time zone. */
    full: (ms: number) => full.format(ms),
    /** span is a length of time in words, such as 15 minutes. */
    span,
    /** ago is how long before now. */
    ago,
  };
}

/** One for each language: Intl's formatters cost much to make and little to use. */
const made = new Map<Locale, Formats>();

export function useFormat(): Formats {
  const { locale } = useLocale();
  let f = made.get(locale);
  if (!f) {
    f = formats(locale);
    made.set(locale, f);
  }
  return f;
}
