import { Box, Group, SegmentedControl, Stack, Text } from '@mantine/core';
import { type ReactNode, useState } from 'react';
import { type PreviewAsked, type RulePreview, useRulePreview } from '../../api/files';
import { LabelList } from '../../components/LabelList';
import { Panel } from '../../components/Panel';
import { StatusMark } from '../../components/StatusMark';
import { Await } from '../../components/states';
import { useFormat } from '../../lib/format';
import { nameOf } from '../../lib/labels';
import { useWords } from '../../lib/words';
import classes from './Config.module.css';
import { configWords } from './words';

interface Props {
  /** Undefined where it is not whole yet. */
  rule: Omit<PreviewAsked, 'range'> | undefined;
  /** What to say where there is no rule. */
  empty: string;
  /** What stands above: which rule it is. */
  head?: ReactNode;
}

/** Preview says when a rule would have fired. */
export function Preview({ rule, empty, head }: Props) {
  const t = useWords(configWords);
  const [range, setRange] = useState('7d');
  const names: Record<string, string> = { '1d': t.lastDay, '7d': t.lastWeek, '30d': t.lastMonth };
  const query = useRulePreview(rule && { ...rule, range });
  return (
    <Panel title={t.preview}>
      {head}
      <SegmentedControl
        aria-label={t.range}
        mb="xs"
        value={range}
        onChange={setRange}
        data={Object.entries(names).map(([value, label]) => ({ value, label }))}
      />
      {rule ? (
        <div aria-busy={query.isFetching}>
          <Await query={query} height={110}>
            {(p) => <Result preview={p} span={names[range] ?? range} />}
          </Await>
        </div>
      ) : (
        <Text size="sm" c="dimmed">
          {empty}
        </Text>
      )}
    </Panel>
  );
}

function Result({ preview: p, span }: { preview: RulePreview; span: string }) {
  const t = useWords(configWords);
  const f = useFormat();
  const start = Date.parse(p.start);
  const length = Date.parse(p.end) - start;
  // Nothing seen in little data is no good news.
  const thin = p.data.some((d) => d.share < 0.9);
  // Where even the selector with the most data had none, there was nothing to judge.
  const gaps = [...p.data].sort((a, b) => b.share - a.share)[0]?.gaps ?? [];
  const shown = p.series.slice(0, 8);
  const word = p.fired > 0 ? t.wouldFire(f.count(p.fired), span) : t.wouldNot(span);
  const health = p.firingNow > 0 ? 'down' : p.fired > 0 ? 'degraded' : thin ? 'unknown' : 'healthy';
  return (
    <Stack gap="xs">
      <Group gap="sm" role="status">
        <StatusMark health={health} word={word} />
        {p.firingNow > 0 && <Text size="sm">{t.firesNow(f.count(p.firingNow))}</Text>}
        {p.total > 1 && (
          <Text size="sm" c="dimmed">
            {t.held(f.count(p.total))}
          </Text>
        )}
      </Group>
      {p.pending > 0 && (
        <Text size="sm" c="dimmed">
          {t.onlyPending(f.count(p.pending))}
        </Text>
      )}
      {shown.length === 0 && <Strip label={t.strip('')} start={start} length={length} spans={[]} gaps={gaps} />}
      {shown.map((s) => {
        const name = nameOf(s.labels) || '{}';
        return (
          <Box key={name}>
            <Group gap="xs" justify="space-between">
              <LabelList labels={s.labels} />
              <Text size="xs" c="dimmed">
                {t.times(f.count(s.fired))}
                {s.fired > 0 && `${f.comma}${t.longest(f.seconds(s.longestSeconds))}`}
              </Text>
            </Group>
            <Strip label={t.strip(name)} start={start} length={length} spans={s.spans} gaps={gaps} />
            {s.first && s.last && (
              <Text size="xs" c="dimmed">
                {t.firstLast(f.moment(Date.parse(s.first)), f.moment(Date.parse(s.last)))}
              </Text>
            )}
          </Box>
        );
      })}
      {p.total > shown.length && shown.length > 0 && (
        <Text size="xs" c="dimmed">
          {t.more(f.count(p.total - shown.length))}
        </Text>
      )}
      <Group gap="md">
        {(['firing', 'pending', 'none'] as const).map((state) => (
          <Text key={state} size="xs" c="dimmed">
            <span className={classes.key}>
              <span className={classes.span} data-state={state} style={{ left: 0, right: 0 }} />
            </span>
            {{ firing: t.legendFiring, pending: t.legendPending, none: t.legendNoData }[state]}
          </Text>
        ))}
      </Group>
      {p.data
        .filter((d) => d.share < 0.999)
        .map((d) => (
          <Text key={d.selector} size="xs" c="var(--mw-degraded)" className="mw-wrap">
            {d.share === 0 ? t.noDataAtAll(d.selector) : t.noDataPart(d.selector, f.ratio(d.share))}
          </Text>
        ))}
      {p.language === 'logql' && (
        <Text size="xs" c="dimmed">
          {t.noDataLogs}
        </Text>
      )}
      {p.stepSeconds > p.intervalSeconds && (
        <Text size="xs" c="dimmed">
          {t.stepText(f.span(p.stepSeconds * 1000), f.span(p.intervalSeconds * 1000))}
        </Text>
      )}
    </Stack>
  );
}

interface StripProps {
  label: string;
  start: number;
  length: number;
  spans: { state: string; from: string; to: string }[];
  gaps: { from: string; to: string }[];
}

/** Strip draws the states along the time. */
function Strip({ label, start, length, spans, gaps }: StripProps) {
  const f = useFormat();
  const all = [...gaps.map((g) => ({ ...g, state: 'none' })), ...spans];
  return (
    <div className={classes.strip} role="img" aria-label={label}>
      {all.map((s) => {
        const from = Date.parse(s.from);
        const to = Date.parse(s.to);
        return (
          <span
            key={`${s.state} ${s.from}`}
            className={classes.span}
            data-state={s.state}
            title={`${f.moment(from)} – ${f.moment(to)}`}
            style={{ left: `${((from - start) / length) * 100}%`, width: `${((to - from) / length) * 100}%` }}
          />
        );
      })}
    </div>
  );
}
