// Small changes to LogQL queries, by its grammar: filters added with a click, and what a query is.
import {
  Expr,
  Json,
  LabelParser,
  LogExpr,
  LogfmtParser,
  MetricExpr,
  PipelineExpr,
  parser,
  Selector,
} from '@grafana/lezer-logql';
import { quote, selector } from './labels';

type Kind = 'lines' | 'numbers' | 'broken' | 'empty';

/** kindOf tells whether a query answers lines or numbers. */
export function kindOf(query: string): Kind {
  if (query.trim() === '') return 'empty';
  const tree = parser.parse(query);
  let kind: Kind = 'broken';
  let broken = false;
  tree.iterate({
    enter: (n) => {
      if (n.type.isError) broken = true;
      if (n.type.id === Expr && kind === 'broken') {
        const first = n.node.firstChild?.type.id;
        if (first === LogExpr) kind = 'lines';
        else if (first === MetricExpr) kind = 'numbers';
      }
    },
  });
  return broken ? 'broken' : kind;
}

/** errorAt is where a query cannot be read, for marking it. */
export function errorAt(query: string): { from: number; to: number } | undefined {
  let found: { from: number; to: number } | undefined;
  parser.parse(query).iterate({
    enter: (n) => {
      if (n.type.isError && !found) found = { from: n.from, to: Math.max(n.to, Math.min(n.from + 1, query.length)) };
    },
  });
  return found;
}

/** stageEnd is where the first pipeline of lines ends, so that a stage can be put there; -1 if there is none. */
function stageEnd(query: string): number {
  let end = -1;
  parser.parse(query).iterate({
    enter: (n) => {
      if (end >= 0) return false;
      if (n.type.id === PipelineExpr) {
        end = n.to;
        return false;
      }
      if (n.type.id === Selector) {
        const next = n.node.nextSibling;
        if (next?.type.id === PipelineExpr) return;
        end = n.to;
      }
      return;
    },
  });
  return end;
}

/** addStage puts a stage behind those that a query has. */
export function addStage(query: string, stage: string): string {
  const end = stageEnd(query);
  if (end < 0) return query;
  return `${query.slice(0, end)} ${stage}${query.slice(end)}`;
}

/** has tells whether a query uses a parser already. */
export function has(query: string, name: 'json' | 'logfmt'): boolean {
  let found = false;
  parser.parse(query).iterate({
    enter: (n) => {
      if (name === 'json' && n.type.id === Json && n.node.parent?.type.id === LabelParser) found = true;
      if (name === 'logfmt' && n.type.id === LogfmtParser) found = true;
    },
  });
  return found;
}

/** addField keeps only lines with a value of a field, or without it. */
export function addField(
  query: string,
  field: { name: string; parser?: 'json' | 'logfmt' },
  value: string,
  op: '=' | '!=' = '=',
): string {
  const parsed = field.parser && !has(query, field.parser) ? addStage(query, `| ${field.parser}`) : query;
  return addStage(parsed, `| ${field.name}${op}${quote(value)}`);
}

/** addMatcher narrows the streams of a query. */
export function addMatcher(query: string, name: string, value: string, op: '=' | '!=' = '='): string {
  const matcher = `${name}${op}${quote(value)}`;
  let done = query;
  let found = false;
  parser.parse(query).iterate({
    enter: (n) => {
      if (found || n.type.id !== Selector) return;
      found = true;
      const inner = query.slice(n.from + 1, n.to - 1).trim();
      done = `${query.slice(0, n.from)}{${inner ? `${inner.replace(/,\s*$/, '')}, ` : ''}${matcher}}${query.slice(n.to)}`;
    },
  });
  return found ? done : selector({ [name]: value });
}

/** selectorOf is the query's first selector, such as {job="a"}. */
export function selectorOf(query: string): string {
  let found = '';
  parser.parse(query).iterate({
    enter: (n) => {
      if (!found && n.type.id === Selector) found = query.slice(n.from, n.to);
    },
  });
  return found;
}

/** setSelector replaces the query's first selector, or is the query where it had none. */
export function setSelector(query: string, text: string): string {
  const old = selectorOf(query);
  return old ? query.replace(old, () => text) : text;
}

/**
 * volumeOf counts the lines of a query by level. Where lines carry no level of their own, it is read from their fields;
 * lines that cannot be read so are counted without a level.
 */
export function volumeOf(query: string, format: 'json' | 'logfmt' | 'text', step: number, lenient = false): string {
  let inner = query;
  if (format !== 'text' && !has(query, format)) inner = addStage(query, `| ${format}`);
  if (lenient) inner = addStage(inner, '| drop __error__, __error_details__');
  const by = format === 'text' ? 'level, detected_level' : lenient ? 'level, detected_level' : 'level';
  return `sum by (${by}) (count_over_time(${inner} [${step}s]))`;
}
