import { ActionIcon, Text, UnstyledButton } from '@mantine/core';
import { IconZoomIn, IconZoomOut } from '@tabler/icons-react';
import { useMemo, useState } from 'react';
import { ApiError } from '../../api/client';
import type { Span } from '../../api/live';
import { type Field, useFields, usePatterns } from '../../api/loki';
import { Sparkline } from '../../components/Sparkline';
import { Await } from '../../components/states';
import { useFormat } from '../../lib/format';
import { quote } from '../../lib/labels';
import { fieldsOf, type LogLine } from '../../lib/lines';
import { useWords } from '../../lib/words';
import classes from './Explore.module.css';
import type { FieldFilter } from './LineDetail';
import { exploreWords } from './words';

interface FieldsProps {
  query: string;
  span?: Span;
  lines: LogLine[];
  onFilter: (f: FieldFilter) => void;
}

/** Fields lists what the server detects in the lines, and which values they have on the lines shown. */
export function Fields({ query, span, lines, onFilter }: FieldsProps) {
  const t = useWords(exploreWords);
  const f = useFormat();
  const fields = useFields(query, { span });
  const [open, setOpen] = useState('');
  return (
    <div className={classes.side}>
      <Await query={fields} height={80}>
        {(list) =>
          list.length === 0 ? (
            <Text size="sm" c="dimmed">
              {t.noFields}
            </Text>
          ) : (
            <>
              <div className={classes.chips}>
                {list.map((x) => (
                  <UnstyledButton
                    key={x.label}
                    className={classes.choice}
                    aria-pressed={open === x.label}
                    onClick={() => setOpen(open === x.label ? '' : x.label)}
                  >
                    {x.label}
                    <Text span size="xs" c="dimmed">
                      {x.type} · {t.values(f.count(x.cardinality))}
                    </Text>
                  </UnstyledButton>
                ))}
              </div>
              {list
                .filter((x) => x.label === open)
                .map((x) => (
                  <Values key={x.label} field={x} lines={lines} onFilter={onFilter} />
                ))}
            </>
          )
        }
      </Await>
    </div>
  );
}

/** countValues tells how often a field has each of its values, the commonest first. */
export function countValues(lines: LogLine[], name: string): [string, number][] {
  const counts = new Map<string, number>();
  for (const l of lines) {
    const v = l.found[name] ?? l.stream[name] ?? fieldsOf(l.line)?.fields[name];
    if (v !== undefined) counts.set(v, (counts.get(v) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1]);
}

function Values({ field, lines, onFilter }: { field: Field; lines: LogLine[]; onFilter: (f: FieldFilter) => void }) {
  const t = useWords(exploreWords);
  const f = useFormat();
  const counts = useMemo(() => countValues(lines, field.label), [lines, field.label]);
  const all = counts.reduce((sum, [, n]) => sum + n, 0);
  const parser = field.parsers?.[0];
  const of = parser === 'json' || parser === 'logfmt' ? parser : 'found';
  return (
    <div className={classes.pairs} style={{ paddingTop: 8 }}>
      {counts.slice(0, 12).map(([value, n]) => (
        <FieldRow key={value} share={f.ratio(n / all)} value={value}>
          <ActionIcon
            size="xs"
            aria-label={t.only(`${field.label}=${value}`)}
            title={t.only(`${field.label}=${value}`)}
            onClick={() => onFilter({ name: field.label, value, op: '=', of })}
          >
            <IconZoomIn size={14} />
          </ActionIcon>
          <ActionIcon
            size="xs"
            aria-label={t.without(`${field.label}=${value}`)}
            title={t.without(`${field.label}=${value}`)}
            onClick={() => onFilter({ name: field.label, value, op: '!=', of })}
          >
            <IconZoomOut size={14} />
          </ActionIcon>
        </FieldRow>
      ))}
    </div>
  );
}

function FieldRow({ share, value, children }: { share: string; value: string; children: React.ReactNode }) {
  return (
    <>
      <span>{children}</span>
      <span className={`${classes.key} mw-number`}>{share}</span>
      <span className={classes.value}>{value}</span>
    </>
  );
}

interface PatternsProps {
  query: string;
  span?: Span;
  onStage: (stage: string) => void;
}

/** Patterns lists the templates of the lines with how many there were of each. */
export function Patterns({ query, span, onStage }: PatternsProps) {
  const t = useWords(exploreWords);
  const f = useFormat();
  const patterns = usePatterns(query, { span });
  if (patterns.error instanceof ApiError && (patterns.error.status === 501 || patterns.error.status === 404)) {
    return (
      <div className={classes.side}>
        <Text size="sm" c="dimmed">
          {t.noPatternStore}
        </Text>
      </div>
    );
  }
  return (
    <div className={classes.side}>
      <Await query={patterns} height={80}>
        {(list) => {
          const rows = list
            .map((p) => ({ ...p, n: p.samples.reduce((sum, [, n]) => sum + n, 0) }))
            .sort((a, b) => b.n - a.n)
            .slice(0, 50);
          if (rows.length === 0) {
            return (
              <Text size="sm" c="dimmed">
                {t.noPatterns}
              </Text>
            );
          }
          return (
            <div>
              {rows.map((p) => (
                <div className={classes.pattern} key={`${p.level} ${p.pattern}`}>
                  <span>
                    <ActionIcon
                      size="xs"
                      aria-label={t.only(p.pattern)}
                      title={t.only(p.pattern)}
                      onClick={() => onStage(`|> ${quote(p.pattern)}`)}
                    >
                      <IconZoomIn size={14} />
                    </ActionIcon>
                    <ActionIcon
                      size="xs"
                      aria-label={t.without(p.pattern)}
                      title={t.without(p.pattern)}
                      onClick={() => onStage(`!> ${quote(p.pattern)}`)}
                    >
                      <IconZoomOut size={14} />
                    </ActionIcon>
                  </span>
                  <Text size="xs" className="mw-number" ta="right">
                    {f.count(p.n)}
                  </Text>
                  <Sparkline values={p.samples.map(([, n]) => n)} label={t.count(f.count(p.n))} />
                  <span className={classes.cellLabels}>{p.pattern}</span>
                </div>
              ))}
            </div>
          );
        }}
      </Await>
    </div>
  );
}
