import { Box, Group, Table, Text } from '@mantine/core';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useMemo, useRef } from 'react';
import type { Table as Answer } from '../../api/promql';
import { useFormat } from '../../lib/format';
import { nameOf } from '../../lib/labels';
import { useWords } from '../../lib/words';
import classes from './Explore.module.css';
import { exploreWords } from './words';

/** ResultTable lists what an instant query answers: labels that differ as columns, the largest value first. */
export function ResultTable({ data, title }: { data: Answer; title?: string }) {
  const t = useWords(exploreWords);
  const f = useFormat();
  const box = useRef<HTMLDivElement>(null);
  const rows = useMemo(
    () => (data.type === 'vector' ? [...data.rows].sort((a, b) => (b.value || 0) - (a.value || 0)) : data.rows),
    [data],
  );
  const columns = useMemo(() => [...new Set(rows.slice(0, 500).flatMap((r) => Object.keys(r.labels)))].sort(), [rows]);
  const narrow = columns.length <= 7;
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => 31,
    overscan: 12,
  });
  const items = virtual.getVirtualItems();
  const before = items[0]?.start ?? 0;
  const after = virtual.getTotalSize() - (items.at(-1)?.end ?? 0);
  const withTime = data.type === 'matrix';
  return (
    <Box>
      <Group justify="space-between" pb={4}>
        <Text size="xs" c="dimmed">
          {title} {t.seriesCount(f.count(rows.length))}
        </Text>
      </Group>
      <Box ref={box} className={classes.scroll} tabIndex={0} role="region" aria-label={title || t.table}>
        <Table stickyHeader>
          <Table.Thead>
            <Table.Tr>
              {withTime && <Table.Th>{t.time}</Table.Th>}
              {narrow ? columns.map((c) => <Table.Th key={c}>{c}</Table.Th>) : <Table.Th>{t.series}</Table.Th>}
              <Table.Th ta="right">{t.value}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {before > 0 && (
              <tr aria-hidden>
                <td style={{ height: before }} />
              </tr>
            )}
            {items.map((item) => {
              const r = rows[item.index] as (typeof rows)[number];
              return (
                <Table.Tr key={item.key} data-index={item.index} ref={virtual.measureElement}>
                  {withTime && <Table.Td className="mw-number">{f.time(r.time * 1000)}</Table.Td>}
                  {narrow ? (
                    columns.map((c) => (
                      <Table.Td key={c} className={classes.cellLabels}>
                        {r.labels[c]}
                      </Table.Td>
                    ))
                  ) : (
                    <Table.Td className={classes.cellLabels}>{nameOf(r.labels)}</Table.Td>
                  )}
                  <Table.Td ta="right" className="mw-number" title={r.text}>
                    {Number.isNaN(r.value) ? r.text : f.number(r.value)}
                  </Table.Td>
                </Table.Tr>
              );
            })}
            {after > 0 && (
              <tr aria-hidden>
                <td style={{ height: after }} />
              </tr>
            )}
          </Table.Tbody>
        </Table>
      </Box>
    </Box>
  );
}
