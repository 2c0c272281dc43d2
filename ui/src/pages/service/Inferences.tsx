import { Button, Checkbox, Grid, Group, Stack, Text, TextInput } from '@mantine/core';
import { useState } from 'react';
import { Link } from 'react-router';
import { type Inference, useInferences } from '../../api/inferences';
import { useErrorLines } from '../../api/logs';
import { Panel } from '../../components/Panel';
import { Rows } from '../../components/Rows';
import { StatusMark } from '../../components/StatusMark';
import { Await } from '../../components/states';
import { useExplore } from '../../lib/explore';
import { useFormat } from '../../lib/format';
import { headline } from '../../lib/lines';
import { useParam } from '../../lib/url';
import { useWords } from '../../lib/words';
import type { TabProps } from '.';
import classes from './Inferences.module.css';
import { serviceWords } from './words';

const page = 50;
const most = 1000;

export default function Inferences({ subject }: TabProps) {
  const t = useWords(serviceWords);
  const f = useFormat();
  const [errors, setErrors] = useParam('errors', '', true);
  const [endpoint, setEndpoint] = useParam('endpoint', '', true);
  const [id, setId] = useParam('request', '', true);
  const [limit, setLimit] = useState(page);
  const query = useInferences({ ...subject, errors: errors === '1', endpoint, request_id: id, limit });
  return (
    <Grid gap="sm">
      <Grid.Col span={{ base: 12, lg: 8 }}>
        <Panel
          title={t.inferences}
          flush
          actions={
            <Group gap="sm" className="mw-fixed">
              <Checkbox
                size="xs"
                label={t.onlyErrors}
                checked={errors === '1'}
                onChange={(e) => setErrors(e.currentTarget.checked ? '1' : '')}
              />
              <TextInput
                placeholder={t.endpoint}
                aria-label={t.endpoint}
                value={endpoint}
                onChange={(e) => setEndpoint(e.currentTarget.value)}
                w={110}
              />
              <TextInput
                placeholder={t.requestId}
                aria-label={t.requestId}
                value={id}
                onChange={(e) => setId(e.currentTarget.value)}
                w={130}
              />
            </Group>
          }
        >
          <Await query={query} height={400}>
            {(list) =>
              list.length === 0 ? (
                <Text size="sm" c="dimmed" p="sm">
                  {t.noInferences}
                </Text>
              ) : (
                <>
                  <Table list={list} />
                  <Group px="sm" py="xs" justify="space-between">
                    <Text size="xs" c="dimmed">
                      {t.showing(f.count(list.length))}
                    </Text>
                    {list.length === limit && limit < most && (
                      <Button size="compact-xs" variant="default" onClick={() => setLimit(Math.min(most, limit * 2))}>
                        {t.loadMore}
                      </Button>
                    )}
                  </Group>
                </>
              )
            }
          </Await>
        </Panel>
      </Grid.Col>
      <Grid.Col span={{ base: 12, lg: 4 }}>
        <ErrorLines service={subject.service} />
      </Grid.Col>
    </Grid>
  );
}

function say(value: unknown): string {
  if (value === undefined || value === null) return '–';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

function Table({ list }: { list: Inference[] }) {
  const t = useWords(serviceWords);
  const f = useFormat();
  return (
    <Rows
      label={t.inferences}
      rows={list}
      rowKey={(i) => `${i.timestamp} ${i.request_id ?? ''} ${say(i.features)}`}
      estimate={50}
      mark={(i) => (i.failed ? 'bad' : undefined)}
      columns={[
        {
          id: 'time',
          title: t.time,
          width: '5rem',
          cell: (i) => <span title={f.full(Date.parse(i.timestamp))}>{f.time(Date.parse(i.timestamp))}</span>,
        },
        {
          id: 'status',
          title: t.status,
          width: '5.5rem',
          cell: (i) => (
            <StatusMark
              health={i.failed ? 'down' : 'healthy'}
              word={i.status_code ? String(i.status_code) : i.failed ? t.failed : t.ok}
              size={14}
            />
          ),
        },
        {
          id: 'took',
          title: t.took,
          width: '4.5rem',
          align: 'right',
          cell: (i) => (i.duration_seconds ? f.seconds(i.duration_seconds) : '–'),
        },
        {
          id: 'answer',
          title: t.answer,
          width: 'minmax(0, 1fr)',
          cell: (i) => (
            <details className={classes.details}>
              <summary>
                {i.error ? <span className={classes.error}>{say(i.error)}</span> : say(i.prediction)}{' '}
                <span className={classes.dim}>
                  {i.request_id} {i.endpoint}
                  {(i.weight ?? 1) > 1 && ` · ${t.sampled(f.number(i.weight ?? 1))}`}
                </span>
              </summary>
              <Details i={i} />
            </details>
          ),
        },
      ]}
    />
  );
}

function Details({ i }: { i: Inference }) {
  const t = useWords(serviceWords);
  const parts: [string, unknown][] = [
    [t.error, i.error],
    [t.features, i.features],
    [t.answer, i.prediction],
    [t.probabilities, i.probabilities],
    [t.tags, i.tags],
  ];
  return (
    <Stack gap={4} mt={4}>
      {parts
        .filter(([, v]) => v !== undefined && v !== null && v !== '')
        .map(([name, v]) => (
          <div key={name}>
            <Text size="xs" c="dimmed">
              {name}
            </Text>
            <pre className={classes.pre}>{typeof v === 'string' ? v : JSON.stringify(v, null, 1)}</pre>
          </div>
        ))}
    </Stack>
  );
}

function ErrorLines({ service }: { service: string }) {
  const t = useWords(serviceWords);
  const f = useFormat();
  const explore = useExplore();
  const { query, expr } = useErrorLines(service, 60);
  return (
    <Panel
      title={t.errorLines}
      flush
      actions={
        expr && (
          <Link to={explore(expr, 'logs')} className="mw-link">
            <Text size="xs">{t.openExplore}</Text>
          </Link>
        )
      }
    >
      {expr === '' ? (
        <Text size="sm" c="dimmed" px="sm" pb="sm">
          {t.noLogStream}
        </Text>
      ) : (
        <Await query={query} height={300}>
          {(lines) =>
            lines.length === 0 ? (
              <Text size="sm" c="dimmed" px="sm" pb="sm">
                {t.noErrorLines}
              </Text>
            ) : (
              // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
              <section className={classes.lines} tabIndex={0} aria-label={t.errorLines}>
                <ol>
                  {lines.map((l) => (
                    <li key={l.ns + l.text}>
                      <span className={classes.dim}>{f.time(l.time)}</span> {headline(l.text)?.message ?? l.text}{' '}
                      <span className={classes.dim}>{headline(l.text)?.rest}</span>
                    </li>
                  ))}
                </ol>
              </section>
            )
          }
        </Await>
      )}
    </Panel>
  );
}
