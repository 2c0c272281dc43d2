import { Badge, Button, Checkbox, Group, Select, Stack, Text, TextInput } from '@mantine/core';
import { IconBellOff, IconChartLine, IconCircleCheck, IconRoute } from '@tabler/icons-react';
import { useEffect, useState } from 'react';
import { Link } from 'react-router';
import { type Alert, type AlertGroup, useAlertGroups, useRules } from '../../api/alerting';
import { LabelList } from '../../components/LabelList';
import { Needs } from '../../components/Needs';
import { Panel } from '../../components/Panel';
import { StatusMark } from '../../components/StatusMark';
import { Await, Empty } from '../../components/states';
import { useAnnotations } from '../../lib/builtinAlerts';
import { useExplore } from '../../lib/explore';
import { useFormat } from '../../lib/format';
import { rank } from '../../lib/health';
import { keyOf, type Labels } from '../../lib/labels';
import { equalTo, type Matcher, parseMatchers, writeMatcher } from '../../lib/matchers';
import { useHref, useParam } from '../../lib/url';
import { useWords } from '../../lib/words';
import classes from './Alerts.module.css';
import { SilenceForm } from './SilenceForm';
import { exprOf, healthOf } from './severity';
import { alertWords } from './words';

/** matches tells whether an alert has what matchers want. */
export function matches(labels: Labels, matchers: Matcher[]): boolean {
  return matchers.every((m) => {
    const value = labels[m.name] ?? '';
    let hit = value === m.value;
    if (m.isRegex) {
      try {
        hit = new RegExp(`^(?:${m.value})$`).test(value);
      } catch {
        return false;
      }
    }
    return hit === m.isEqual;
  });
}

/** select keeps the groups and alerts asked for, the worst first. */
export function select(
  groups: AlertGroup[],
  want: { receiver: string; matchers: Matcher[]; hidden: boolean },
): { groups: AlertGroup[]; left: number } {
  let left = 0;
  const kept = groups
    .filter((g) => !want.receiver || g.receiver.name === want.receiver)
    .map((g) => {
      const alerts = g.alerts.filter((a) => matches(a.labels, want.matchers));
      const shown = alerts.filter((a) => want.hidden || a.status.state !== 'suppressed');
      left += alerts.length - shown.length;
      return { ...g, alerts: shown.sort((a, b) => worth(b) - worth(a) || a.startsAt.localeCompare(b.startsAt)) };
    })
    .filter((g) => g.alerts.length > 0)
    .sort((a, b) => worth(b.alerts[0] as Alert) - worth(a.alerts[0] as Alert));
  return { groups: kept, left };
}

function worth(a: Alert): number {
  return rank[healthOf(a.labels.severity)] + (a.status.state === 'suppressed' ? 0 : 10);
}

export default function Active() {
  const t = useWords(alertWords);
  const f = useFormat();
  const query = useAlertGroups();
  const rules = useRules();
  const [receiver, setReceiver] = useParam('receiver');
  const [filter, setFilter] = useParam('filter');
  const [hidden, setHidden] = useParam('hidden', '', true);
  const [draft, setDraft] = useState(filter);
  useEffect(() => setDraft(filter), [filter]);
  const [silence, setSilence] = useState<Matcher[] | null>(null);
  const parsed = parseMatchers(draft);
  const matchers = parseMatchers(filter) ?? [];
  return (
    <Await query={query} height={300}>
      {(all) => {
        const receivers = [...new Set(all.map((g) => g.receiver.name))].sort();
        const { groups, left } = select(all, { receiver, matchers, hidden: hidden === '1' });
        const byPrint = new Map(all.flatMap((g) => g.alerts).map((a) => [a.fingerprint, a]));
        const filtered = receiver !== '' || matchers.length > 0;
        return (
          <Stack gap="sm">
            {(all.length > 0 || filtered) && (
              <Group gap="sm" align="flex-start">
                <form
                  onSubmit={(e) => {
                    e.preventDefault();
                    if (parsed) setFilter(draft.trim());
                  }}
                >
                  <TextInput
                    aria-label={t.filter}
                    placeholder={t.filterPlaceholder}
                    w={320}
                    maw="100%"
                    value={draft}
                    onChange={(e) => setDraft(e.currentTarget.value)}
                    onBlur={() => parsed && draft.trim() !== filter && setFilter(draft.trim())}
                    error={parsed ? undefined : t.badFilter}
                  />
                </form>
                <Select
                  aria-label={t.receiver}
                  w={190}
                  value={receiver || 'all'}
                  data={[
                    { value: 'all', label: t.allReceivers },
                    ...[...new Set([...receivers, ...(receiver ? [receiver] : [])])],
                  ]}
                  onChange={(v) => setReceiver(v === 'all' || !v ? '' : v)}
                />
                <Checkbox
                  size="xs"
                  pt={6}
                  label={t.showHidden}
                  checked={hidden === '1'}
                  onChange={(e) => setHidden(e.currentTarget.checked ? '1' : '')}
                />
              </Group>
            )}
            {groups.length === 0 ? (
              filtered && all.length > 0 ? (
                <Empty title={t.noneMatches}>
                  <Button
                    variant="default"
                    onClick={() => {
                      // One after the other: each reads the address as the one before left it.
                      setReceiver('');
                      setFilter('');
                    }}
                  >
                    {t.clearFilter}
                  </Button>
                </Empty>
              ) : (
                <Empty title={t.nothingFires} icon={<IconCircleCheck size={32} />}>
                  <Text size="sm" c="dimmed">
                    {left > 0
                      ? t.hiddenCount(f.count(left))
                      : rules.data &&
                        t.nothingFiresText(
                          f.count(rules.data.flatMap((g) => g.rules).filter((r) => r.type === 'alerting').length),
                        )}
                  </Text>
                </Empty>
              )
            ) : (
              <>
                {groups.map((g) => (
                  <Together
                    key={`${g.receiver.name} ${keyOf(g.labels)}`}
                    group={g}
                    byPrint={byPrint}
                    onSilence={(labels) => setSilence(equalTo(labels))}
                  />
                ))}
                {left > 0 && (
                  <Text size="sm" c="dimmed">
                    {t.hiddenCount(f.count(left))}
                  </Text>
                )}
              </>
            )}
            <SilenceForm start={silence && { matchers: silence }} close={() => setSilence(null)} />
          </Stack>
        );
      }}
    </Await>
  );
}

interface GroupProps {
  group: AlertGroup;
  byPrint: Map<string, Alert>;
  onSilence: (labels: Labels) => void;
}

function Together({ group, byPrint, onSilence }: GroupProps) {
  const t = useWords(alertWords);
  const f = useFormat();
  const shared = Object.keys(group.labels);
  return (
    <Panel
      flush
      title={shared.length ? Object.values(group.labels).join(' · ') : t.allTogether}
      hint={`${t.groupOf(f.count(group.alerts.length))} ${t.toReceiver(group.receiver.name)}`}
      actions={
        shared.length > 0 && group.alerts.length > 1 ? (
          <Needs least="editor">
            <Button variant="default" size="compact-xs" onClick={() => onSilence(group.labels)}>
              {t.silenceGroup}
            </Button>
          </Needs>
        ) : undefined
      }
    >
      {group.alerts.map((a) => (
        <AlertRow key={a.fingerprint} alert={a} byPrint={byPrint} onSilence={() => onSilence(a.labels)} />
      ))}
    </Panel>
  );
}

function AlertRow({ alert, byPrint, onSilence }: { alert: Alert; byPrint: Map<string, Alert>; onSilence: () => void }) {
  const t = useWords(alertWords);
  const f = useFormat();
  const href = useHref();
  const explore = useExplore();
  const { labels, status } = alert;
  const annotations = useAnnotations()(alert);
  const text = annotations.summary ?? annotations.message ?? '';
  const more = annotations.description ?? '';
  const expr = exprOf(alert.generatorURL);
  const began = Date.parse(alert.startsAt);
  const runbook = annotations.runbook_url;
  return (
    <article className={classes.alert} data-quiet={status.state === 'suppressed'}>
      <StatusMark
        health={status.state === 'suppressed' ? 'unknown' : healthOf(labels.severity)}
        word={labels.severity ?? '–'}
      />
      <div className={classes.say}>
        <Text size="sm" fw={600}>
          {text || labels.alertname}
        </Text>
        {more && <Text size="sm">{more}</Text>}
        <Group gap={6} pt={3}>
          <Text size="xs" c="dimmed" title={f.full(began)}>
            {t.since(f.ago(began))}
          </Text>
          {status.silencedBy.map((id) => (
            <Badge
              key={id}
              component={Link}
              to={href('/alerts/silences', { id })}
              size="sm"
              variant="default"
              tt="none"
              fw={500}
            >
              {t.silencedBy}
            </Badge>
          ))}
          {status.inhibitedBy.length > 0 && (
            <Badge size="sm" variant="default" tt="none" fw={500}>
              {t.inhibitedBy(
                status.inhibitedBy.map((p) => byPrint.get(p)?.labels.alertname ?? t.anotherAlert).join(', '),
              )}
            </Badge>
          )}
          {(status.mutedBy?.length ?? 0) > 0 && (
            <Badge size="sm" variant="default" tt="none" fw={500}>
              {t.mutedBy((status.mutedBy ?? []).join(', '))}
            </Badge>
          )}
          <LabelList labels={labels} without={['severity']} />
          {runbook && /^https?:\/\//.test(runbook) && (
            <a href={runbook} className="mw-link" rel="noreferrer" target="_blank">
              runbook
            </a>
          )}
        </Group>
      </div>
      <Group gap={4} wrap="nowrap">
        {expr && (
          <Button
            component={Link}
            to={explore(expr)}
            variant="default"
            size="compact-xs"
            leftSection={<IconChartLine size={13} aria-hidden />}
          >
            {t.explore}
          </Button>
        )}
        <Button
          component={Link}
          to={href('/alerts/routing', { test: equalTo(labels).map(writeMatcher).join(', ') })}
          variant="default"
          size="compact-xs"
          leftSection={<IconRoute size={13} aria-hidden />}
        >
          {t.whereTo}
        </Button>
        <Needs least="editor">
          <Button
            variant="default"
            size="compact-xs"
            leftSection={<IconBellOff size={13} aria-hidden />}
            onClick={onSilence}
          >
            {t.silence}
          </Button>
        </Needs>
      </Group>
    </article>
  );
}
