import { Badge, Button, Group, List, Popover, Stack, Text, TextInput } from '@mantine/core';
import { IconSend } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import {
  type Receiver,
  type Route,
  type RouteTest,
  useReceiverTest,
  useRouteTest,
  useRouting,
} from '../../api/alerting';
import { EditLink } from '../../components/EditLink';
import { LabelList } from '../../components/LabelList';
import { Needs, useRefusal } from '../../components/Needs';
import { Panel } from '../../components/Panel';
import { StatusMark } from '../../components/StatusMark';
import { Await, ErrorBox } from '../../components/states';
import { editWords } from '../../components/words';
import { useFormat } from '../../lib/format';
import type { Labels } from '../../lib/labels';
import { parseMatchers } from '../../lib/matchers';
import { useSayError } from '../../lib/sayError';
import { useParam } from '../../lib/url';
import { useWords } from '../../lib/words';
import classes from './Alerts.module.css';
import { alertWords } from './words';

/** labelsOf reads the labels of an alert; undefined for anything that is not name="value". */
export function labelsOf(text: string): Labels | undefined {
  const matchers = parseMatchers(text);
  if (!matchers || matchers.some((m) => m.isRegex || !m.isEqual)) return undefined;
  return Object.fromEntries(matchers.map((m) => [m.name, m.value]));
}

export default function Routing() {
  const t = useWords(alertWords);
  const e = useWords(editWords);
  const query = useRouting();
  const test = useRouteTest();
  const say = useSayError();
  const hits = new Set(test.data?.routes.map((r) => r.id));
  return (
    <Await query={query} height={320}>
      {(r) => (
        <Stack gap="sm">
          {r.warnings.length > 0 && (
            <Panel title={t.warnings}>
              <List size="sm">
                {r.warnings.map((w) => (
                  <List.Item key={w}>{say(w)}</List.Item>
                ))}
              </List>
            </Panel>
          )}
          <div className={classes.two}>
            <Stack gap="sm">
              <Tester test={test} />
              <Panel title={t.tree} hint={t.treeHint} actions={<EditLink kind="alertmanager" label={e.routes} />}>
                <ul className={classes.tree}>
                  <Branch route={r.route} hits={hits} root />
                </ul>
              </Panel>
            </Stack>
            <Stack gap="sm">
              <Panel title={t.receivers} flush>
                {r.receivers.map((x) => (
                  <ReceiverRow key={x.name} receiver={x} />
                ))}
              </Panel>
              {r.inhibitRules.length > 0 && (
                <Panel title={t.inhibition} flush>
                  {r.inhibitRules.map((i) => (
                    <div
                      key={i.name + i.sourceMatchers.join() + i.targetMatchers.join() + i.equal.join()}
                      className={classes.item}
                    >
                      <div>
                        <Text size="sm" className="mw-wrap">
                          {t.inhibits(i.sourceMatchers.join(', '), i.targetMatchers.join(', '))}
                        </Text>
                        {i.equal.length > 0 && (
                          <Text size="xs" c="dimmed">
                            {t.equal} {i.equal.join(', ')}
                          </Text>
                        )}
                      </div>
                    </div>
                  ))}
                </Panel>
              )}
              {r.timeIntervals.length > 0 && (
                <Panel title={t.intervals} flush>
                  {r.timeIntervals.map((i) => (
                    <div key={i.name} className={classes.item}>
                      <Text size="sm" fw={600}>
                        {i.name}
                      </Text>
                      <Text size="xs" c="dimmed">
                        {i.active ? t.activeNow : t.notActive}
                      </Text>
                      <Text w="100%" size="xs" className="mw-mono mw-wrap">
                        {i.definition}
                      </Text>
                    </div>
                  ))}
                </Panel>
              )}
            </Stack>
          </div>
        </Stack>
      )}
    </Await>
  );
}

function Branch({ route, hits, root }: { route: Route; hits: Set<string>; root?: boolean }) {
  const t = useWords(alertWords);
  const { semicolon } = useFormat();
  const hit = hits.has(route.id);
  return (
    <li>
      <div className={classes.route} data-hit={hit}>
        <span className="mw-mono mw-wrap">
          {root ? t.everyAlert : route.matchers.length ? route.matchers.join(', ') : t.everything}
        </span>
        <Text span size="sm">
          → <b>{route.receiver}</b>
        </Text>
        {route.continue && (
          <Badge size="xs" variant="default" tt="none">
            {t.continues}
          </Badge>
        )}
        {hit && (
          <Badge size="xs" tt="none">
            {t.here}
          </Badge>
        )}
        <Text size="xs" c="dimmed" w="100%">
          {t.groupedBy} {route.groupByAll ? '…' : route.groupBy.join(', ') || '–'}
          {semicolon}
          {t.waits(route.groupWait, route.groupInterval, route.repeatInterval)}
          {route.muteTimeIntervals.length > 0 && `${semicolon}${t.mutedBy(route.muteTimeIntervals.join(', '))}`}
        </Text>
      </div>
      {route.routes.length > 0 && (
        <ul>
          {route.routes.map((r) => (
            <Branch key={r.id} route={r} hits={hits} />
          ))}
        </ul>
      )}
    </li>
  );
}

function Tester({ test }: { test: ReturnType<typeof useRouteTest> }) {
  const t = useWords(alertWords);
  const [asked, setAsked] = useParam('test');
  const [text, setText] = useState(asked || 'alertname="HighLatency", severity="critical"');
  const labels = labelsOf(text);
  const bad = !labels || Object.keys(labels).length === 0;
  const { mutate } = test;
  useEffect(() => {
    const given = asked && labelsOf(asked);
    if (given) {
      setText(asked);
      mutate(given);
    }
  }, [asked, mutate]);
  return (
    <Panel title={t.tester}>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          if (bad) return;
          // The same question again is no change of the address.
          if (text === asked) mutate(labels);
          else setAsked(text);
        }}
      >
        <Group gap="xs" align="flex-end" wrap="nowrap">
          <TextInput
            flex={1}
            label={t.testerHint}
            classNames={{ input: 'mw-mono' }}
            value={text}
            onChange={(e) => setText(e.currentTarget.value)}
            error={bad ? t.badFilter : undefined}
          />
          <Button type="submit" disabled={bad} loading={test.isPending}>
            {t.ask}
          </Button>
        </Group>
      </form>
      {test.isError && <ErrorBox error={test.error} />}
      {test.data && <Outcome result={test.data} />}
    </Panel>
  );
}

function Outcome({ result }: { result: RouteTest }) {
  const t = useWords(alertWords);
  return (
    <Stack gap={4} pt="sm" role="status">
      {result.routes.map((r) => (
        <Group key={r.id} gap="xs">
          <Text size="sm">
            {t.goesTo} <b>{r.receiver}</b>
          </Text>
          {Object.keys(r.groupLabels).length > 0 && (
            <>
              <Text size="xs" c="dimmed">
                {t.groupedBy}
              </Text>
              <LabelList labels={r.groupLabels} />
            </>
          )}
          {r.muted && <StatusMark health="unknown" word={t.mutedNow(r.mutedBy.join(', '))} />}
        </Group>
      ))}
      {result.silencedBy.length > 0 && <StatusMark health="unknown" word={t.wouldBeSilenced} />}
      {result.inhibitedBy.length > 0 && <StatusMark health="unknown" word={t.wouldBeInhibited} />}
    </Stack>
  );
}

function ReceiverRow({ receiver }: { receiver: Receiver }) {
  const t = useWords(alertWords);
  const say = useSayError();
  const f = useFormat();
  const test = useReceiverTest();
  const [sure, setSure] = useState(false);
  const no = useRefusal('editor');
  const button = (
    <Button
      variant="default"
      size="compact-xs"
      leftSection={<IconSend size={13} aria-hidden />}
      disabled={receiver.integrations.length === 0}
      loading={test.isPending}
      onClick={() => setSure(!sure)}
    >
      {t.sendTest}
    </Button>
  );
  return (
    <div className={classes.item}>
      <div>
        <Text size="sm" fw={600} className="mw-wrap">
          {receiver.name}
        </Text>
        <Text size="xs" c="dimmed">
          {receiver.integrations.map((i) => i.replace(/\[\d+\]$/, '')).join(', ') || t.noIntegrations}
          {!receiver.used && ` · ${t.unused}`}
        </Text>
      </div>
      <Group gap={6} wrap="nowrap">
        <EditLink kind="alertmanager" at={{ receiver: receiver.name }} />
        {no && <Needs least="editor">{button}</Needs>}
        <Popover opened={sure && !no} onChange={setSure} shadow="md" position="bottom-end" trapFocus returnFocus>
          {!no && <Popover.Target>{button}</Popover.Target>}
          <Popover.Dropdown p="sm" maw={300}>
            <Text size="sm">{t.sendTestAsk(receiver.name)}</Text>
            <Text size="xs" c="dimmed" pb="xs">
              {t.sendTestText}
            </Text>
            <Button
              size="compact-xs"
              onClick={() => {
                setSure(false);
                test.mutate(receiver.name);
              }}
            >
              {t.sendTest}
            </Button>
          </Popover.Dropdown>
        </Popover>
      </Group>
      <Stack gap={2} w="100%" role="status">
        {test.isError && <ErrorBox error={test.error} />}
        {test.data?.results.map((r) => (
          <div key={r.integration}>
            <StatusMark
              health={r.success ? 'healthy' : 'down'}
              word={r.success ? t.arrived(r.integration, f.seconds(r.durationSeconds)) : t.notArrived(r.integration)}
            />
            {r.error && (
              <Text size="xs" c="var(--mw-down)" className="mw-wrap">
                {r.error}
              </Text>
            )}
          </div>
        ))}
        {test.data?.note && (
          <Text size="xs" c="dimmed">
            {say(test.data.note)}
          </Text>
        )}
      </Stack>
    </div>
  );
}
