import { Box, Table, Text } from '@mantine/core';
import { useMemo } from 'react';
import { type Exemplar, useExemplars } from '../../api/promql';
import type { Dot } from '../../components/Chart';
import { useFormat } from '../../lib/format';
import { type Labels, nameOf, quote } from '../../lib/labels';
import { selectorOf } from '../../lib/logql';
import { useWords } from '../../lib/words';
import classes from './Explore.module.css';
import { useAsked } from './state';
import { unitOf } from './unit';
import { exploreWords } from './words';

/** The newest are shown. */
const most = 100;

/** traceOf is what names an exemplar's request in logs: its trace, or else its first label. */
export function traceOf(labels: Labels): string {
  return labels.trace_id ?? labels.traceID ?? labels.traceId ?? labels.TraceID ?? Object.values(labels)[0] ?? '';
}

/**
 * useExemplarDots draws the exemplars of a query, and leads from one to the lines that name its request. streams selects
 * the logs of what the query is about, where no logs are shown yet.
 */
export function useExemplarDots(query: string, streams: string) {
  const t = useWords(exploreWords);
  const f = useFormat();
  const [state, change] = useAsked();
  const { data } = useExemplars(query);
  const list = useMemo(() => (data ?? []).slice(0, most), [data]);
  const dots = useMemo(
    () =>
      list.map(
        (e): Dot => ({
          time: e.time / 1000,
          // Only a quantile or a mean of a histogram is in the unit of what was observed.
          height: /\bhistogram_(quantile|avg)\b/.test(query) ? e.value : undefined,
          text: [
            `${t.exemplar}: ${f.value(e.value, unitOf(query))} · ${f.exact(e.time)}`,
            nameOf(e.labels),
            t.exemplarHint,
          ],
        }),
      ),
    [list, query, t, f],
  );
  const follow = (e: Exemplar) => {
    const from = selectorOf(state.logs) || streams;
    const name = traceOf(e.labels);
    change({
      at: e.time,
      view: state.view === 'logs' ? 'logs' : 'split',
      logs: from && name ? `${from} |= ${quote(name)}` : state.logs || streams,
      live: false,
    });
  };
  const followDot = (dot: Dot) => {
    const e = list[dots.indexOf(dot)];
    if (e) follow(e);
  };
  return { list, dots, follow, followDot };
}

/** Exemplars lists what is drawn, for the keyboard and to compare. */
export function Exemplars({ list, follow }: { list: Exemplar[]; follow: (e: Exemplar) => void }) {
  const t = useWords(exploreWords);
  const f = useFormat();
  return (
    <details>
      <summary>
        <Text span size="xs">
          {t.exemplars(f.count(list.length))}
        </Text>
      </summary>
      <Box className={classes.scroll} mah={240} tabIndex={0} role="region" aria-label={t.exemplars('')}>
        <Table>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t.time}</Table.Th>
              <Table.Th>{t.value}</Table.Th>
              <Table.Th>{t.labels}</Table.Th>
              <Table.Th>{t.logs}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {list.map((e) => (
              <Table.Tr key={`${e.time} ${JSON.stringify(e.labels)} ${JSON.stringify(e.series)}`}>
                <Table.Td className="mw-nowrap">{f.exact(e.time)}</Table.Td>
                <Table.Td className="mw-number">{f.number(e.value)}</Table.Td>
                <Table.Td className={classes.cellLabels}>
                  {nameOf(e.labels)} {nameOf(e.series)}
                </Table.Td>
                <Table.Td>
                  <button type="button" className="mw-button-link" onClick={() => follow(e)}>
                    {t.exemplarLines}
                  </button>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Box>
    </details>
  );
}
