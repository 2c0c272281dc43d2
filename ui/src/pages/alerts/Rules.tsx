import { Group, SegmentedControl, Stack, Text, TextInput, Title } from '@mantine/core';
import { IconChevronDown, IconChevronRight, IconFileText, IconSearch } from '@tabler/icons-react';
import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { useLayoutEffect, useMemo, useRef, useState } from 'react';
import { Link } from 'react-router';
import { type Rule, type RuleGroup, useRules } from '../../api/alerting';
import { useRange } from '../../api/series';
import { EditLink, NewRuleLink } from '../../components/EditLink';
import { LabelList } from '../../components/LabelList';
import { RangeChart } from '../../components/RangeChart';
import { StatusMark } from '../../components/StatusMark';
import { Await, Empty } from '../../components/states';
import { useTemplates } from '../../lib/builtinAlerts';
import { useExplore } from '../../lib/explore';
import { useFormat } from '../../lib/format';
import type { Health } from '../../lib/health';
import { keyOf, nameOf } from '../../lib/labels';
import type { Sought } from '../../lib/sought';
import { useParam } from '../../lib/url';
import { useWords } from '../../lib/words';
import classes from './Alerts.module.css';
import { healthOf } from './severity';
import { alertWords } from './words';

type State = 'firing' | 'pending' | 'inactive' | 'broken' | 'recording';

/** stateOf is what to know first about a rule. */
export function stateOf(r: Rule): State {
  if (r.health === 'err') return 'broken';
  if (r.type === 'recording') return 'recording';
  return r.state ?? 'inactive';
}

const rankOf: Record<State, number> = { firing: 4, broken: 3, pending: 2, inactive: 1, recording: 0 };

type Item =
  | { kind: 'group'; key: string; group: RuleGroup }
  | { kind: 'rule'; key: string; rule: Rule; group: RuleGroup };

/** listOf is one list of groups and their rules that match, the worst groups first. */
export function listOf(groups: RuleGroup[], text: string, state: string): Item[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const worst = (g: RuleGroup) => Math.max(...g.rules.map((r) => rankOf[stateOf(r)]));
  return groups
    .map((group) => ({
      group,
      rules: group.rules
        .map((rule, i) => ({ rule, i }))
        .filter(({ rule }) => {
          if (state !== 'all' && stateOf(rule) !== state) return false;
          const all = `${rule.name} ${rule.query} ${group.name} ${group.file}`.toLowerCase();
          return words.every((w) => all.includes(w));
        }),
    }))
    .filter((g) => g.rules.length > 0)
    .sort((a, b) => worst(b.group) - worst(a.group))
    .flatMap(({ group, rules }) => {
      const key = `${group.file}\n${group.name}`;
      return [
        { kind: 'group' as const, key, group },
        ...rules.map(({ rule, i }) => ({ kind: 'rule' as const, key: `${key}\n${i}`, rule, group })),
      ];
    });
}

export default function Rules() {
  const t = useWords(alertWords);
  const f = useFormat();
  const query = useRules();
  const [text, setText] = useParam('q', '', true);
  const [state, setState] = useParam('state', 'all');
  return (
    <Await query={query} height={320}>
      {(groups) => {
        if (groups.length === 0) {
          return (
            <Empty title={t.noRules} icon={<IconFileText size={32} />}>
              <Text size="sm" mb="sm">
                {t.noRulesText}
              </Text>
              <NewRuleLink />
            </Empty>
          );
        }
        const rules = groups.flatMap((g) => g.rules);
        const count = (s: State) => rules.filter((r) => stateOf(r) === s).length;
        const offered = (['firing', 'pending', 'broken', 'inactive', 'recording'] as const).filter(
          (s) => count(s) > 0 || s === state || s === 'firing',
        );
        return (
          <Stack gap="sm">
            <Group gap="sm">
              <SegmentedControl
                aria-label={t.state}
                value={state}
                onChange={setState}
                className="mw-tabs"
                data={[
                  { value: 'all', label: `${t.all} ${f.count(rules.length)}` },
                  ...offered.map((s) => ({ value: s, label: `${t[s]} ${f.count(count(s))}` })),
                ]}
              />
              <TextInput
                aria-label={t.search}
                placeholder={t.search}
                leftSection={<IconSearch size={14} aria-hidden />}
                value={text}
                onChange={(e) => setText(e.currentTarget.value)}
              />
              <NewRuleLink />
            </Group>
            <List groups={groups} text={text} state={state} />
          </Stack>
        );
      }}
    </Await>
  );
}

function List({ groups, text, state }: { groups: RuleGroup[]; text: string; state: string }) {
  const t = useWords(alertWords);
  const [open, setOpen] = useParam('rule');
  const items = useMemo(() => listOf(groups, text, state), [groups, text, state]);
  const box = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  useLayoutEffect(() => setTop(box.current?.offsetTop ?? 0), []);
  const virtual = useWindowVirtualizer({
    count: items.length,
    estimateSize: (i) => (items[i]?.kind === 'group' ? 46 : 36),
    getItemKey: (i) => items[i]?.key ?? i,
    overscan: 12,
    scrollMargin: top,
  });
  if (items.length === 0) return <Text size="sm">{t.noRuleMatches}</Text>;
  return (
    <div ref={box} className="mw-panel">
      <div className={classes.virtual} style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map((v) => {
          const item = items[v.index];
          if (!item) return null;
          const name = item.key.replaceAll('\n', '/');
          return (
            <div
              key={v.key}
              ref={virtual.measureElement}
              data-index={v.index}
              style={{ transform: `translateY(${v.start - top}px)` }}
            >
              {item.kind === 'group' ? (
                <GroupHead group={item.group} first={v.index === 0} />
              ) : (
                <RuleRow
                  rule={item.rule}
                  group={item.group}
                  open={open === name}
                  onToggle={() => setOpen(open === name ? '' : name)}
                />
              )}
            </div>
          );
        })}
      </div>
    </div>
  );
}

function GroupHead({ group, first }: { group: RuleGroup; first: boolean }) {
  const t = useWords(alertWords);
  const f = useFormat();
  return (
    <Group
      gap="xs"
      px="sm"
      pt={10}
      pb={6}
      style={{ borderTop: first ? undefined : '1px solid var(--mw-line)' }}
      align="center"
    >
      <Title order={2} fz="sm" style={{ flex: 'none', maxWidth: '70%', overflowWrap: 'anywhere' }}>
        {group.name}
      </Title>
      <Text size="xs" c="dimmed" truncate miw={0} maw="100%" title={group.file}>
        {group.file.startsWith('builtin:') ? t.builtin : group.file} · {t.every(f.span(group.interval * 1000))}
      </Text>
      <EditLink kind="rules" path={group.file} at={{ group: group.name }} />
    </Group>
  );
}

function healthOfRule(r: Rule): Health {
  switch (stateOf(r)) {
    case 'firing':
      return healthOf(r.labels?.severity);
    case 'pending':
      return 'degraded';
    case 'broken':
      return 'down';
    default:
      return r.health === 'unknown' ? 'unknown' : 'healthy';
  }
}

interface RowProps {
  rule: Rule;
  group: RuleGroup;
  open: boolean;
  onToggle: () => void;
}

function RuleRow({ rule, group, open, onToggle }: RowProps) {
  const t = useWords(alertWords);
  const Chevron = open ? IconChevronDown : IconChevronRight;
  return (
    <div className={classes.rule}>
      <button type="button" className={classes.ruleHead} aria-expanded={open} onClick={onToggle}>
        <StatusMark health={healthOfRule(rule)} word={t[stateOf(rule)]} />
        <span className={classes.ruleName}>
          {rule.name}
          {rule.labels?.severity && <span className={classes.severity}> {rule.labels.severity}</span>}
        </span>
        <span className={classes.ruleExpr}>{rule.query}</span>
        <Chevron size={15} aria-hidden />
      </button>
      {open && <RuleBody rule={rule} group={group} />}
    </div>
  );
}

/** whereOf says where in its file a rule stands. */
export function whereOf(group: RuleGroup, rule: Rule): Sought {
  const nth = group.rules.filter((r) => r.name === rule.name).indexOf(rule);
  return { group: group.name, rule: rule.name, ...(nth > 0 && { nth: String(nth) }) };
}

function RuleBody({ rule, group }: { rule: Rule; group: RuleGroup }) {
  const t = useWords(alertWords);
  const f = useFormat();
  const explore = useExplore();
  const graph = useRange(rule.type === 'recording' ? rule.name : rule.query);
  const templates = useTemplates();
  const evaluated = Date.parse(rule.lastEvaluation);
  const alerts = rule.alerts ?? [];
  const facts: [string, React.ReactNode][] = [
    [t.file, group.file.startsWith('builtin:') ? t.builtin : group.file],
    [
      t.lastEvaluation,
      evaluated > 0 ? `${f.ago(evaluated)}, ${t.took(f.seconds(rule.evaluationTime))}` : t.neverEvaluated,
    ],
  ];
  if (rule.type === 'alerting') facts.unshift([t.forHow, f.span((rule.duration ?? 0) * 1000)]);
  if (rule.keepFiringFor) facts.splice(1, 0, [t.keepFiring, f.span(rule.keepFiringFor * 1000)]);
  if (Object.keys(rule.labels ?? {}).length) facts.push([t.labels, <LabelList key="l" labels={rule.labels ?? {}} />]);
  const annotations = templates(group.file, rule.name, rule.annotations ?? {});
  for (const [k, v] of Object.entries(annotations)) facts.push([k, v]);
  return (
    <div className={classes.ruleBody}>
      {rule.lastError && (
        <Text size="sm" c="var(--mw-down)" className="mw-wrap" role="alert">
          {t.lastError}: {rule.lastError}
        </Text>
      )}
      <Group gap="xs" align="flex-start" wrap="nowrap">
        <pre className={`mw-mono ${classes.expr}`} style={{ flex: 1 }}>
          {rule.query}
        </pre>
        <Link to={explore(rule.query)} className="mw-link">
          {t.openExplore}
        </Link>
        <EditLink kind="rules" path={group.file} at={whereOf(group, rule)} />
      </Group>
      <RangeChart query={graph} label={t.graphOf} height={150} name={(l) => nameOf(l)} />
      <dl className="mw-facts">
        {facts.map(([k, v]) => (
          <div key={k}>
            <dt>{k}</dt>
            <dd>{v}</dd>
          </div>
        ))}
      </dl>
      {alerts.length > 0 && (
        <Stack gap={4}>
          <Title order={3} fz="sm">
            {t.instances}
          </Title>
          {alerts.slice(0, 50).map((a) => (
            <Group key={keyOf(a.labels)} gap="xs">
              <StatusMark health={a.state === 'firing' ? healthOf(a.labels.severity) : 'degraded'} word={t[a.state]} />
              <Text size="xs" className="mw-number">
                {f.number(Number(a.value))}
              </Text>
              <Text size="xs" c="dimmed" title={f.full(Date.parse(a.activeAt))}>
                {t.since(f.ago(Date.parse(a.activeAt)))}
              </Text>
              <LabelList labels={a.labels} without={Object.keys(rule.labels ?? {})} />
            </Group>
          ))}
          {alerts.length > 50 && (
            <Text size="xs" c="dimmed">
              + {f.count(alerts.length - 50)}
            </Text>
          )}
        </Stack>
      )}
    </div>
  );
}
