// What may be typed at a place of a LogQL query.
export interface Asked {
  kind: 'label' | 'value' | 'stage' | 'filter' | 'start';
  /** What is typed of it already. */
  typed: string;
  /** The label whose value is typed. */
  name?: string;
  /** A bare name is wanted, as in by (…). */
  plain?: boolean;
}

export const stages: Record<'stage' | 'filter' | 'start', [string, string][]> = {
  stage: [
    ['json', 'fields of JSON'],
    ['logfmt', 'fields of logfmt'],
    ['pattern', 'fields by a pattern'],
    ['regexp', 'fields by named groups'],
    ['unpack', 'labels packed into the line'],
    ['line_format', 'rewrites the line'],
    ['label_format', 'rewrites labels'],
    ['unwrap', 'a field as number'],
    ['drop', 'leaves out labels'],
    ['keep', 'keeps only some labels'],
    ['decolorize', 'leaves out colour codes'],
    ['level="error"', 'keeps lines with a label'],
  ],
  filter: [
    ['|= ""', 'contains'],
    ['!= ""', 'does not contain'],
    ['|~ ""', 'matches'],
    ['!~ ""', 'does not match'],
    ['|> ""', 'has the pattern'],
    ['| json', 'fields of JSON'],
    ['| logfmt', 'fields of logfmt'],
  ],
  start: [
    ['{', 'streams'],
    ['rate', 'lines a second'],
    ['count_over_time', 'lines in a window'],
    ['bytes_rate', 'bytes a second'],
    ['bytes_over_time', 'bytes in a window'],
    ['sum_over_time', 'of an unwrapped field'],
    ['avg_over_time', 'of an unwrapped field'],
    ['max_over_time', 'of an unwrapped field'],
    ['min_over_time', 'of an unwrapped field'],
    ['quantile_over_time', 'of an unwrapped field'],
    ['absent_over_time', 'where there are no lines'],
    ['sum', 'over series'],
    ['avg', 'over series'],
    ['max', 'over series'],
    ['min', 'over series'],
    ['count', 'over series'],
    ['topk', 'the largest series'],
    ['bottomk', 'the smallest series'],
  ],
};

/** placeOf tells what is being typed at the end of a text, or undefined where there is nothing to offer. */
export function placeOf(before: string): Asked | undefined {
  let braces = 0;
  let quoted = '';
  for (let i = 0; i < before.length; i++) {
    const c = before[i] as string;
    if (quoted) {
      if (c === '\\' && quoted === '"') i++;
      else if (c === quoted) quoted = '';
    } else if (c === '"' || c === '`') quoted = c;
    else if (c === '{') braces++;
    else if (c === '}') braces--;
  }
  if (quoted) {
    const value = braces > 0 ? /([\w.]+)\s*(?:=~|!~|!=|=)\s*"([^"]*)$/.exec(before) : null;
    return value ? { kind: 'value', name: value[1], typed: value[2] ?? '' } : undefined;
  }
  if (braces > 0) {
    const label = /[{,]\s*([\w.]*)$/.exec(before);
    return label ? { kind: 'label', typed: label[1] ?? '' } : undefined;
  }
  const grouping = /\b(?:by|without|on|ignoring)\s*\((?:[^()]*,)?\s*([\w.]*)$/.exec(before);
  if (grouping) return { kind: 'label', typed: grouping[1] ?? '', plain: true };
  const stage = /\|\s*(\w*)$/.exec(before);
  if (stage) return { kind: 'stage', typed: stage[1] ?? '' };
  if (/[}"`\w]\s+$/.test(before) && before.includes('}')) return { kind: 'filter', typed: '' };
  const word = /(?:^|[\s(,+*/%^-])([a-z_]*)$/.exec(before);
  return word ? { kind: 'start', typed: word[1] ?? '' } : undefined;
}
