import { ActionIcon, Button, Group, Text } from '@mantine/core';
import { IconArrowsVertical, IconZoomIn, IconZoomOut } from '@tabler/icons-react';
import { Fragment } from 'react';
import { Copy } from '../../components/Copy';
import { useFormat } from '../../lib/format';
import { fieldsOf, type LogLine } from '../../lib/lines';
import { useWords } from '../../lib/words';
import classes from './Explore.module.css';
import { exploreWords } from './words';

export interface FieldFilter {
  name: string;
  value: string;
  op: '=' | '!=';
  /** Where the field is: a label of the stream, a label of the line, or in the text as a parser reads it. */
  of: 'stream' | 'found' | 'json' | 'logfmt';
}

interface Props {
  line: LogLine;
  onFilter: (f: FieldFilter) => void;
  onContext: (l: LogLine) => void;
}

/** LineDetail shows the labels and fields of a line, each a filter by one click. */
export function LineDetail({ line, onFilter, onContext }: Props) {
  const t = useWords(exploreWords);
  const f = useFormat();
  const inText = fieldsOf(line.line);
  const known = new Set(Object.keys(line.found));
  const fields = Object.entries(inText?.fields ?? {}).filter(([k]) => !known.has(k));
  return (
    <section className={classes.detail} aria-label={t.details}>
      <Group gap="xs" pb={4}>
        <Text size="xs" c="dimmed">
          {f.full(line.time)}
        </Text>
        <Button
          variant="default"
          size="compact-xs"
          leftSection={<IconArrowsVertical size={13} aria-hidden />}
          onClick={() => onContext(line)}
        >
          {t.context}
        </Button>
        <Copy text={line.line} />
      </Group>
      <Pairs title={t.inLine} pairs={fields} of={inText?.parser ?? 'json'} onFilter={onFilter} />
      <Pairs title={t.forLine} pairs={Object.entries(line.found)} of="found" onFilter={onFilter} />
      <Pairs title={t.forStream} pairs={Object.entries(line.stream)} of="stream" onFilter={onFilter} />
    </section>
  );
}

interface PairsProps {
  title: string;
  pairs: [string, string][];
  of: FieldFilter['of'];
  onFilter: (f: FieldFilter) => void;
}

function Pairs({ title, pairs, of, onFilter }: PairsProps) {
  const t = useWords(exploreWords);
  if (pairs.length === 0) return null;
  return (
    <>
      <Text size="xs" c="dimmed" pt={4}>
        {title}
      </Text>
      <div className={classes.pairs}>
        {pairs.slice(0, 100).map(([name, value]) => (
          <Fragment key={name}>
            <span>
              <ActionIcon
                size="xs"
                aria-label={t.only(`${name}=${value}`)}
                title={t.only(`${name}=${value}`)}
                onClick={() => onFilter({ name, value, op: '=', of })}
              >
                <IconZoomIn size={14} />
              </ActionIcon>
              <ActionIcon
                size="xs"
                aria-label={t.without(`${name}=${value}`)}
                title={t.without(`${name}=${value}`)}
                onClick={() => onFilter({ name, value, op: '!=', of })}
              >
                <IconZoomOut size={14} />
              </ActionIcon>
            </span>
            <span className={classes.key}>{name}</span>
            <span className={classes.value}>{value}</span>
          </Fragment>
        ))}
      </div>
    </>
  );
}
