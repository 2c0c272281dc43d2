import { Box, Group, SegmentedControl, Stack, Text, TextInput } from '@mantine/core';
import { IconBulb, IconRadar2, IconSearch } from '@tabler/icons-react';
import { useMemo } from 'react';
import { useInstant } from '../../api/series';
import { type Target, useTargets } from '../../api/targets';
import { Snippet } from '../../components/Copy';
import { EditLink } from '../../components/EditLink';
import { LabelList } from '../../components/LabelList';
import { Panel } from '../../components/Panel';
import { type Column, Rows } from '../../components/Rows';
import { StatusMark } from '../../components/StatusMark';
import { Await, Empty } from '../../components/states';
import { editWords } from '../../components/words';
import { parseDuration } from '../../lib/duration';
import { type Formats, useFormat } from '../../lib/format';
import { hintFor } from '../../lib/hints';
import { keyOf } from '../../lib/labels';
import { useTime } from '../../lib/time';
import { useParam } from '../../lib/url';
import { useWords } from '../../lib/words';
import { hintWords, statusWords } from './words';

export const jobSnippet = `scrape_configs:
  - job_name: my-ai-service
    static_configs:
      - targets: ['127.0.0.1:8000']`;

const health = { up: 'healthy', down: 'down', unknown: 'unknown' } as const;

/** isOwn tells whether a target is modelwatch itself, which needs no network. */
export function isOwn(t: Target): boolean {
  return t.discoveredLabels.__address__ === 'modelwatch.internal:80';
}

export default function Targets() {
  const t = useWords(statusWords);
  const e = useWords(editWords);
  const f = useFormat();
  const query = useTargets();
  const [text, setText] = useParam('q', '', true);
  const [state, setState] = useParam('state', 'all');
  return (
    <Await query={query} height={300}>
      {({ activeTargets }) => {
        if (activeTargets.length === 0) {
          return (
            <Empty title={t.noTargets} icon={<IconRadar2 size={32} />}>
              <Text mb="sm">{t.noTargetsText}</Text>
              <Snippet text={jobSnippet} label={t.jobSnippet} />
              <EditLink kind="prometheus" label={e.scraping} />
            </Empty>
          );
        }
        const words = text.toLowerCase().split(/\s+/);
        const shown = activeTargets.filter((a) => {
          if (state !== 'all' && a.health !== state) return false;
          const all = `${a.scrapeUrl} ${Object.entries(a.labels).flat().join(' ')} ${a.lastError}`.toLowerCase();
          return words.every((w) => all.includes(w));
        });
        const count = (h: string) => f.count(activeTargets.filter((a) => a.health === h).length);
        return (
          <Stack gap="sm">
            <Group gap="sm">
              <SegmentedControl
                value={state}
                onChange={setState}
                aria-label={t.state}
                data={[
                  { value: 'all', label: `${t.all} ${f.count(activeTargets.length)}` },
                  { value: 'up', label: `${t.up} ${count('up')}` },
                  { value: 'down', label: `${t.down} ${count('down')}` },
                  { value: 'unknown', label: `${t.notYet} ${count('unknown')}` },
                ]}
              />
              <TextInput
                value={text}
                onChange={(e) => setText(e.currentTarget.value)}
                placeholder={t.filter}
                aria-label={t.filter}
                leftSection={<IconSearch size={14} aria-hidden />}
                w={280}
              />
              <EditLink kind="prometheus" label={e.scraping} />
            </Group>
            {shown.length === 0 && <Text c="dimmed">{t.noMatch}</Text>}
            <Pools targets={shown} all={activeTargets} />
          </Stack>
        );
      }}
    </Await>
  );
}

function Pools({ targets, all }: { targets: Target[]; all: Target[] }) {
  const t = useWords(statusWords);
  const f = useFormat();
  const pools = useMemo(() => {
    const by = Map.groupBy(targets, (a) => a.scrapePool);
    // What is broken comes first.
    const bad = (list: Target[]) => list.filter((a) => a.health === 'down').length;
    return [...by].sort((a, b) => bad(b[1]) - bad(a[1]) || a[0].localeCompare(b[0]));
  }, [targets]);
  const samples = useInstant('scrape_samples_scraped');
  const bySeries = useMemo(
    () =>
      new Map(
        (samples.data ?? []).map(({ labels: { __name__: _, ...labels }, value }) => [keyOf(labels), value] as const),
      ),
    [samples.data],
  );
  return pools.map(([pool, list]) => {
    const ofPool = all.filter((a) => a.scrapePool === pool);
    const up = ofPool.filter((a) => a.health === 'up').length;
    return (
      <Panel
        key={pool}
        title={pool}
        flush
        hint={t.counts(f.count(up), f.count(ofPool.length))}
        actions={ofPool.some(isOwn) ? undefined : <EditLink at={{ job: pool }} />}
      >
        <Pool name={pool} list={list} samples={bySeries} />
      </Panel>
    );
  });
}

function Pool({ name, list, samples }: { name: string; list: Target[]; samples: Map<string, number> }) {
  const t = useWords(statusWords);
  const f = useFormat();
  const { now } = useTime();
  const columns: Column<Target>[] = [
    {
      id: 'state',
      title: t.state,
      width: '8.5rem',
      cell: (a) => (
        <StatusMark
          health={health[a.health]}
          word={a.health === 'up' ? t.up : a.health === 'down' ? t.down : t.notYet}
        />
      ),
    },
    { id: 'target', title: t.target, width: 'minmax(0, 1fr)', cell: (a) => <Address target={a} /> },
    {
      id: 'last',
      title: t.lastScrape,
      width: '7rem',
      align: 'right',
      cell: (a) => {
        const at = Date.parse(a.lastScrape);
        return at > 0 ? f.ago(at, Math.max(now, at)) : t.never;
      },
    },
    {
      id: 'took',
      title: t.took,
      width: '5.5rem',
      align: 'right',
      cell: (a) => (Date.parse(a.lastScrape) > 0 ? f.seconds(a.lastScrapeDuration) : '–'),
    },
    {
      id: 'samples',
      title: t.samples,
      width: '5.5rem',
      align: 'right',
      cell: (a) => {
        const n = samples.get(keyOf(a.labels));
        return n === undefined ? '–' : f.count(n);
      },
    },
    { id: 'every', title: t.every, width: '4rem', align: 'right', cell: (a) => interval(a.scrapeInterval, f) },
  ];
  return (
    <Rows
      label={name}
      columns={columns}
      rows={list}
      rowKey={(a) => a.scrapeUrl + keyOf(a.labels)}
      estimate={56}
      mark={(a) => (a.health === 'down' ? 'bad' : undefined)}
    />
  );
}

function interval(text: string, f: Formats): string {
  const ms = parseDuration(text);
  return ms ? f.seconds(ms / 1000) : text;
}

function Address({ target }: { target: Target }) {
  const t = useWords(statusWords);
  const hints = useWords(hintWords);
  const hint = hintFor(target.lastError);
  return (
    <Box miw={0}>
      {isOwn(target) ? <Text size="sm">{t.inProcess}</Text> : <span className="mw-mono">{target.scrapeUrl}</span>}
      <Box mt={2}>
        <LabelList labels={target.labels} without={['job']} />
      </Box>
      {target.lastError && (
        <Box mt={4}>
          <Text size="sm" c="var(--mw-down)" className="mw-wrap">
            {target.lastError}
          </Text>
          {hint && (
            <Group gap={6} wrap="nowrap" align="flex-start" mt={2}>
              <IconBulb size={15} aria-hidden className="mw-fixed" />
              <Text size="sm">{hints[hint]}</Text>
            </Group>
          )}
        </Box>
      )}
    </Box>
  );
}
