import { Badge, Button, Group, Input, Loader, SegmentedControl, Select, Stack, Text } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import { useBaselines } from '../../api/baselines';
import { ApiError } from '../../api/client';
import { compareDrift, type DriftComparison, type DriftResult, type OtherTool, otherTools } from '../../api/drift';
import { Rows } from '../../components/Rows';
import { StatusMark } from '../../components/StatusMark';
import { ErrorBox } from '../../components/states';
import { parseDuration } from '../../lib/duration';
import { useFormat } from '../../lib/format';
import { useMethodName } from '../../lib/methods';
import { sayOfModels } from '../../lib/saidOfModels';
import { useTime } from '../../lib/time';
import { useParam } from '../../lib/url';
import { useWords } from '../../lib/words';
import { verdictHealth } from './Data';
import { type Pair, pairsOf, rowsThatFit } from './otherRules';
import { otherRulesWords } from './otherRulesWords';
import type { Subject } from './subject';
import { serviceWords } from './words';

const names: Record<OtherTool, string> = { evidently: 'Evidently', nannyml: 'NannyML', whylogs: 'whylogs' };

/** How many features are named that are on one side alone. */
const fewNames = 12;

const spans = ['1h', '6h', '1d', '7d'];

type State = { at: 'idle' } | { at: 'working' } | { at: 'cancelled' } | { at: 'failed'; error: unknown } | Answered;
interface Answered {
  at: 'answered';
  tool: OtherTool;
  answer: DriftComparison;
}

/**
 * OtherRules judges raw inferences by another tool's rule beside ours. It reads them when it is told to, never by
 * itself, and keeps the last answer alone.
 */
export default function OtherRules({ subject }: { subject: Subject }) {
  const t = useWords(otherRulesWords);
  const f = useFormat();
  const time = useTime();
  const baselines = useBaselines(subject.service, subject.model, subject.version);
  const [toolText, setTool] = useParam('rule');
  const tool = otherTools.find((x) => x === toolText) ?? 'evidently';
  const [span, setSpan] = useParam('judged');
  const [against, setAgainst] = useParam('against');
  const [rows, setRows] = useParam('rows');
  const [state, setState] = useState<State>({ at: 'idle' });
  const running = useRef<AbortController>(null);
  useEffect(() => () => running.current?.abort(), []);

  const length = spans.includes(span) ? parseDuration(span) : undefined;
  const list = baselines.data ?? [];
  const inUse = list.find((b) => b.active);
  const kept = (b: { from?: string | null }) => Boolean(b.from);
  const choices = [
    {
      value: '',
      label: inUse ? (kept(inUse) ? (x: string) => x : t.notKept)(t.inUse(f.count(inUse.number))) : t.inUseUnknown,
      disabled: inUse !== undefined && !kept(inUse),
    },
    ...list
      .filter((b) => !b.active)
      .map((b) => ({
        value: b.id,
        label: (kept(b) ? (x: string) => x : t.notKept)(t.baseline(f.count(b.number))),
        disabled: !kept(b),
      })),
    { value: 'before', label: t.before, disabled: false },
  ];
  // What cannot be chosen is not chosen by itself either.
  const wanted = choices.find((c) => c.value === against && !c.disabled)?.value ?? 'before';

  const compare = async (sample = rows) => {
    const stop = new AbortController();
    running.current = stop;
    setState({ at: 'working' });
    const to = length ? Date.now() : time.to;
    const from = length ? to - length : time.from;
    try {
      const answer = await compareDrift(
        {
          ...subject,
          tool,
          from,
          to,
          ...(wanted === 'before'
            ? { before: { from: from - (to - from), to: from } }
            : { baseline: wanted || undefined }),
          rows: Number(sample) || undefined,
        },
        stop.signal,
      );
      setState({ at: 'answered', tool, answer });
    } catch (error) {
      if (running.current !== stop) return;
      setState(stop.signal.aborted ? { at: 'cancelled' } : { at: 'failed', error });
    }
  };
  const working = state.at === 'working';
  const fits = state.at === 'failed' && state.error instanceof ApiError ? rowsThatFit(state.error.message) : undefined;
  return (
    <Stack gap="sm">
      <Text size="xs" c="dimmed" maw={760}>
        {t.hint}
      </Text>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          if (working) running.current?.abort();
          else void compare();
        }}
      >
        <Group gap="sm" align="flex-end">
          <Input.Wrapper label={t.tool} labelElement="div" size="xs">
            <div>
              <SegmentedControl
                aria-label={t.tool}
                value={tool}
                onChange={setTool}
                disabled={working}
                data={otherTools.map((value) => ({ value, label: names[value] }))}
              />
            </div>
          </Input.Wrapper>
          <Select
            label={t.judged}
            value={length ? span : ''}
            onChange={(v) => setSpan(v ?? '')}
            disabled={working}
            allowDeselect={false}
            data={[
              { value: '', label: t.page },
              ...spans.map((value) => ({ value, label: t.last(f.span(parseDuration(value) ?? 0)) })),
            ]}
            w={200}
          />
          <Select
            label={t.against}
            value={wanted}
            onChange={(v) => setAgainst(v ?? '')}
            disabled={working}
            allowDeselect={false}
            data={choices}
            w={260}
          />
          <Button type="submit" variant={working ? 'default' : 'filled'}>
            {working ? t.cancel : t.compare}
          </Button>
        </Group>
      </form>
      {rows && (
        <Group gap="xs">
          <Text size="sm">{t.sampled(f.count(Number(rows)))}</Text>
          <Button size="compact-xs" variant="default" onClick={() => setRows('')} disabled={working}>
            {t.all}
          </Button>
        </Group>
      )}
      <div role="status">
        {working && (
          <Group gap="xs">
            <Loader size="xs" aria-hidden />
            <Text size="sm">{t.working}</Text>
          </Group>
        )}
        {state.at === 'cancelled' && <Text size="sm">{t.cancelled}</Text>}
      </div>
      {state.at === 'failed' && (
        <>
          <ErrorBox title={t.failed} error={state.error} />
          {fits && (
            <div>
              <Button
                variant="default"
                onClick={() => {
                  setRows(String(fits));
                  void compare(String(fits));
                }}
              >
                {t.sample(f.count(fits))}
              </Button>
            </div>
          )}
        </>
      )}
      {state.at === 'answered' && <Answer {...state} />}
    </Stack>
  );
}

function Answer({ tool, answer }: Answered) {
  const t = useWords(otherRulesWords);
  const s = useWords(serviceWords);
  const f = useFormat();
  const pairs = pairsOf(answer);
  const both = pairs.filter((p) => p.agree !== undefined).length;
  const differ = pairs.filter((p) => p.agree === false).length;
  const side = (x: DriftComparison['baseline']) => f.between(Date.parse(x.since), Date.parse(x.until));
  const verdict =
    pairs.length === 0
      ? t.nothing
      : both === 0
        ? t.noneJudged
        : differ > 0
          ? t.disagree(f.count(differ), f.count(both))
          : t.agree(f.count(both));
  const few = (list: string[]) =>
    [...list.slice(0, fewNames), ...(list.length > fewNames ? [t.andMore(f.count(list.length - fewNames))] : [])].join(
      ', ',
    );
  const apart = [
    answer.new.length > 0 && t.fresh(few(answer.new)),
    answer.vanished.length > 0 && t.vanished(few(answer.vanished)),
    answer.retyped.length > 0 &&
      t.retyped(few(answer.retyped.map((x) => s.changed(x.feature, kindName(x.from, s), kindName(x.to, s))))),
  ].filter((x) => x !== false);
  return (
    <Stack gap="sm">
      <div role="status">
        <Text fw={600}>
          {verdict} {pairs.length > both && both > 0 && t.notBoth(f.count(pairs.length - both))}
        </Text>
        <Text size="xs" c="dimmed">
          {t.of(
            side(answer.current),
            f.count(answer.current.compared),
            side(answer.baseline),
            f.count(answer.baseline.compared),
          )}
        </Text>
      </div>
      {[...answer.notices.map((x) => sayOfModels(x, f)), ...apart].map((x) => (
        <Text key={x} size="sm" className="mw-wrap">
          {x}
        </Text>
      ))}
      <div>
        <Text size="xs" fw={600}>
          {t.why}
        </Text>
        <Text size="sm" maw={900}>
          {[t.whyAlways, t[tool]].join(f.locale === 'en' ? ' ' : '')}
        </Text>
      </div>
      {pairs.length > 0 && <Table pairs={pairs} tool={tool} />}
    </Stack>
  );
}

function kindName(kind: DriftResult['kind'], s: (typeof serviceWords)['en' | 'zh-CN']): string {
  return kind === 'missing' ? s.missingKind : s[kind];
}

function Table({ pairs, tool }: { pairs: Pair[]; tool: OtherTool }) {
  const t = useWords(otherRulesWords);
  const f = useFormat();
  return (
    <Rows
      label={t.compare}
      rows={pairs}
      rowKey={(p) => p.feature}
      estimate={58}
      columns={[
        {
          id: 'feature',
          title: t.feature,
          width: 'minmax(0, 1fr)',
          cell: (p) => (
            <Group gap="xs">
              <span className="mw-wrap">{p.feature}</span>
              {p.agree === false && (
                <Badge variant="default" tt="none" fw={500}>
                  {t.disagrees}
                </Badge>
              )}
              {p.agree === undefined && (
                <Text size="xs" c="dimmed">
                  {t.noVerdict}
                </Text>
              )}
            </Group>
          ),
        },
        { id: 'ours', title: 'modelwatch', width: 'minmax(0, 1.4fr)', cell: (p) => <Judged r={p.ours} /> },
        { id: 'theirs', title: names[tool], width: 'minmax(0, 1.4fr)', cell: (p) => <Judged r={p.theirs} /> },
        {
          id: 'rows',
          title: t.rows,
          width: '8rem',
          align: 'right',
          cell: (p) => `${f.count(p.theirs.current_rows)} / ${f.count(p.theirs.baseline_rows)}`,
        },
      ]}
    />
  );
}

/** Judged is a verdict with what led to it. */
function Judged({ r }: { r: DriftResult }) {
  const t = useWords(otherRulesWords);
  const s = useWords(serviceWords);
  const f = useFormat();
  const methodName = useMethodName();
  const figures = [
    r.score !== null &&
      (r.threshold === null
        ? t.scoreOnly(f.number(r.score))
        : (r.preset === 'nannyml' ? t.above : t.figures)(f.number(r.score), f.number(r.threshold))),
    r.p_value !== null && r.p_value_threshold !== null && t.p(f.number(r.p_value), f.number(r.p_value_threshold)),
    r.method && methodName(r.method),
  ].filter(Boolean);
  return (
    <>
      <StatusMark health={verdictHealth[r.verdict]} word={s[r.verdict]} size={14} />
      <Text size="xs" c="dimmed" className="mw-wrap">
        {r.verdict === 'unknown' && r.reason ? sayOfModels(r.reason, f) : figures.join(' · ')}
      </Text>
    </>
  );
}
