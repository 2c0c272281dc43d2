import { ActionIcon, Badge, Box, Button, Group, Menu, SegmentedControl, Text } from '@mantine/core';
import {
  IconDownload,
  IconListDetails,
  IconPlayerPlay,
  IconPlayerStop,
  IconPuzzle,
  IconTags,
  IconTextWrap,
  IconX,
} from '@tabler/icons-react';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { formatLogQuery, LineCache, useLines, useLogGraph } from '../../api/loki';
import { Chart } from '../../components/Chart';
import { CodeEditor } from '../../components/CodeEditor';
import { Panel } from '../../components/Panel';
import { Await, Empty, ErrorBox, useReason } from '../../components/states';
import { linesAs, save } from '../../lib/download';
import { useFormat } from '../../lib/format';
import { formatOf, type LogLine } from '../../lib/lines';
import { addField, addMatcher, addStage, kindOf, setSelector } from '../../lib/logql';
import { stepFor } from '../../lib/range';
import { useTime } from '../../lib/time';
import { useWords } from '../../lib/words';
import { Context } from './Context';
import classes from './Explore.module.css';
import { note } from './history';
import { LabelBrowser } from './LabelBrowser';
import type { FieldFilter } from './LineDetail';
import { LogList } from './LogList';
import { logql } from './language';
import { draw } from './Metrics';
import { Fields, Patterns } from './Side';
import { useAsked } from './state';
import { useTail } from './tail';
import { Volume } from './Volume';
import { exploreWords } from './words';

/** Logs asks LogQL: lines with their volume by level, followed live or read in peace; or numbers. */
export function Logs() {
  const t = useWords(exploreWords);
  const reason = useReason();
  const [state, change] = useAsked();
  const [draft, setDraft] = useState(state.logs);
  const [browsing, setBrowsing] = useState(false);
  const [problem, setProblem] = useState('');
  useEffect(() => setDraft(state.logs), [state.logs]);
  const language = useMemo(() => logql(t.broken), [t.broken]);
  const run = (query: string) => {
    note('logql', query);
    setProblem('');
    change({ logs: query, live: state.live && kindOf(query) === 'lines' });
  };
  const format = async () => {
    try {
      setDraft(await formatLogQuery(draft));
      setProblem('');
    } catch (err) {
      setProblem(reason(err));
    }
  };
  const kind = kindOf(state.logs);
  return (
    <Panel title={t.logs} flush>
      <Box px="sm" pb={6}>
        <div className={classes.row}>
          <CodeEditor
            value={draft}
            onChange={setDraft}
            onRun={() => run(draft)}
            language={language}
            label={t.logql}
            placeholder={t.logqlPlaceholder}
          />
          <div className={classes.tools}>
            <Button
              onClick={() => run(draft)}
              title={t.runHint}
              variant={draft === state.logs ? 'default' : 'filled'}
              mr={4}
            >
              {t.run}
            </Button>
            <ActionIcon
              aria-label={t.labelBrowser}
              title={t.labelBrowser}
              aria-pressed={browsing}
              variant={browsing ? 'light' : 'subtle'}
              onClick={() => setBrowsing(!browsing)}
            >
              <IconTags size={16} />
            </ActionIcon>
            <ActionIcon aria-label={t.format} title={t.format} onClick={() => void format()} disabled={!draft.trim()}>
              <IconTextWrap size={16} />
            </ActionIcon>
          </div>
        </div>
        {problem && (
          <Text size="xs" c="var(--mw-down)" pt={2} className="mw-wrap" role="alert">
            {problem}
          </Text>
        )}
        {browsing && kind !== 'empty' && (
          <Box pt="xs">
            <LabelBrowser
              onApply={(s) => {
                setBrowsing(false);
                run(setSelector(state.logs, s));
              }}
            />
          </Box>
        )}
      </Box>
      {kind === 'empty' ? (
        <Box p="sm">
          <Text fw={600} pb="xs">
            {t.noLogs}
          </Text>
          <LabelBrowser onApply={run} />
        </Box>
      ) : kind === 'numbers' ? (
        <Numbers query={state.logs} />
      ) : (
        <Lines query={state.logs} />
      )}
    </Panel>
  );
}

function Numbers({ query }: { query: string }) {
  const { from, to, setRange } = useTime();
  const step = stepFor(from, to, 240);
  const answer = useLogGraph(query, step);
  return (
    <Box p="sm">
      <Await query={answer} height={280}>
        {(m) => {
          const drawn = draw([m], ['']);
          return (
            <Chart
              label={query}
              times={drawn?.times ?? []}
              lines={drawn?.lines ?? []}
              height={280}
              sync="explore"
              onZoom={(a, b) => setRange({ from: a, to: b })}
            />
          );
        }}
      </Await>
    </Box>
  );
}

function Lines({ query }: { query: string }) {
  const t = useWords(exploreWords);
  const f = useFormat();
  const [state, change] = useAsked();
  const [limit, setLimit] = useState(500);
  const [side, setSide] = useState<'' | 'fields' | 'patterns'>('');
  const [around, setAround] = useState<LogLine | null>(null);
  const cache = useRef<LineCache>(null);
  cache.current ??= new LineCache();
  const minute = state.at === undefined ? undefined : Math.floor(state.at / 60_000) * 60_000;
  const span = useMemo(() => (minute === undefined ? undefined : { from: minute, to: minute + 60_000 }), [minute]);
  const live = state.live;
  const answer = useLines(query, limit, cache.current, { span, enabled: !live });
  const tail = useTail(query, live);
  const [frozen, setFrozen] = useState<{ lines: LogLine[]; total: number } | null>(null);
  const latest = useRef(tail);
  latest.current = tail;
  const onReading = useCallback((reading: boolean) => setFrozen(reading ? { ...latest.current } : null), []);
  // A new list begins at its top, where nothing is open.
  const [resumed, setResumed] = useState(0);
  const resume = () => {
    setFrozen(null);
    setResumed((n) => n + 1);
  };
  const lines = live ? (frozen?.lines ?? tail.lines) : (answer.data?.lines ?? []);
  const format = formatOf(lines);
  const edit = (next: string) => {
    note('logql', next);
    change({ logs: next });
  };
  const filter = (x: FieldFilter) => {
    if (x.of === 'stream') edit(addMatcher(query, x.name, x.value, x.op));
    else edit(addField(query, { name: x.name, parser: x.of === 'found' ? undefined : x.of }, x.value, x.op));
  };
  const download = (as: 'txt' | 'json' | 'csv') =>
    save(
      `logs-${new Date().toISOString().slice(0, 19).replaceAll(':', '')}.${as}`,
      { txt: 'text/plain', json: 'application/json', csv: 'text/csv' }[as],
      linesAs(as, lines),
    );
  return (
    <Box>
      {!live && (
        <Box px="sm">
          <Volume query={query} format={format} onPick={(at) => change({ at })} />
        </Box>
      )}
      <Group gap="xs" px="sm" py={6}>
        <Button
          px="xs"
          variant={live ? 'filled' : 'default'}
          aria-pressed={live}
          title={live ? t.stopLive : t.startLive}
          leftSection={live ? <IconPlayerStop size={13} aria-hidden /> : <IconPlayerPlay size={13} aria-hidden />}
          onClick={() => {
            setFrozen(null);
            change({ live: !live, at: undefined }, true);
          }}
        >
          {t.live}
        </Button>
        <SegmentedControl
          aria-label={t.linesAs}
          value={state.as}
          onChange={(v) => change({ as: v as typeof state.as }, true)}
          data={[
            { value: 'lines', label: t.lines },
            { value: 'wrapped', label: t.wrapped },
            { value: 'json', label: t.json },
          ]}
        />
        <Button
          px="xs"
          variant={side === 'fields' ? 'light' : 'default'}
          aria-pressed={side === 'fields'}
          leftSection={<IconListDetails size={13} aria-hidden />}
          onClick={() => setSide(side === 'fields' ? '' : 'fields')}
        >
          {t.fields}
        </Button>
        <Button
          px="xs"
          variant={side === 'patterns' ? 'light' : 'default'}
          aria-pressed={side === 'patterns'}
          leftSection={<IconPuzzle size={13} aria-hidden />}
          onClick={() => setSide(side === 'patterns' ? '' : 'patterns')}
        >
          {t.patterns}
        </Button>
        <Menu position="bottom-end">
          <Menu.Target>
            <ActionIcon variant="default" size={30} disabled={!lines.length} aria-label={t.download} title={t.download}>
              <IconDownload size={15} />
            </ActionIcon>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item onClick={() => download('txt')}>{t.asText}</Menu.Item>
            <Menu.Item onClick={() => download('json')}>JSON</Menu.Item>
            <Menu.Item onClick={() => download('csv')}>CSV</Menu.Item>
          </Menu.Dropdown>
        </Menu>
        {minute !== undefined && !live && (
          <Badge
            variant="light"
            size="lg"
            tt="none"
            fw={500}
            rightSection={
              <ActionIcon
                size="xs"
                aria-label={t.wholeRange}
                title={t.wholeRange}
                onClick={() => change({ at: undefined })}
              >
                <IconX size={12} />
              </ActionIcon>
            }
          >
            {t.minute(f.minute(minute))}
          </Badge>
        )}
        <Box flex={1} />
        <Text size="xs" c="dimmed" role="status" className="mw-number">
          {live
            ? tail.state === 'connecting'
              ? t.liveConnecting
              : tail.state === 'lost'
                ? t.liveLost
                : frozen
                  ? ''
                  : t.liveOn(f.count(lines.length))
            : answer.data && !answer.data.cut
              ? t.count(f.count(lines.length))
              : ''}
        </Text>
      </Group>
      {side === 'fields' && <Fields query={query} span={span} lines={lines} onFilter={filter} />}
      {side === 'patterns' && <Patterns query={query} span={span} onStage={(s) => edit(addStage(query, s))} />}
      {live && frozen && (
        <Group gap="xs" px="sm" pb={6} role="status">
          <Text size="sm">{t.livePaused(f.count(Math.max(0, tail.total - frozen.total)))}</Text>
          <Button size="compact-xs" variant="default" onClick={resume}>
            {t.resume}
          </Button>
        </Group>
      )}
      {answer.isError && !live && answer.data === undefined ? (
        <Box p="sm">
          <ErrorBox error={answer.error} retry={() => void answer.refetch()} />
        </Box>
      ) : live ? (
        <LogList
          key={resumed}
          lines={lines}
          as={state.as}
          onFilter={filter}
          onContext={setAround}
          onReading={onReading}
        />
      ) : (
        <Await query={answer} height={260}>
          {(data) =>
            data.lines.length ? (
              <>
                <LogList lines={data.lines} as={state.as} onFilter={filter} onContext={setAround} />
                {data.cut && (
                  <Group gap="xs" px="sm" py={6}>
                    <Text size="xs" c="dimmed">
                      {t.cut(f.count(data.lines.length))}
                    </Text>
                    {limit < 5000 && (
                      <Button size="compact-xs" variant="default" onClick={() => setLimit(Math.min(5000, limit * 4))}>
                        {t.loadMore}
                      </Button>
                    )}
                  </Group>
                )}
              </>
            ) : (
              <Empty title={t.noLines}>
                <Text size="sm" c="dimmed">
                  {t.noLinesHint}
                </Text>
              </Empty>
            )
          }
        </Await>
      )}
      <Context line={around} close={() => setAround(null)} />
    </Box>
  );
}
