import { Alert, SimpleGrid, Stack, Text } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { ApiError } from '../../api/client';
import { useStreams } from '../../api/logs';
import { useInstant, useRange } from '../../api/series';
import { useBlocks, useCardinality, useRuntime } from '../../api/status';
import { Figure } from '../../components/Figure';
import { LabelList } from '../../components/LabelList';
import { Panel } from '../../components/Panel';
import { RangeChart } from '../../components/RangeChart';
import { Rows } from '../../components/Rows';
import { Await } from '../../components/states';
import { parseDuration } from '../../lib/duration';
import { useFormat } from '../../lib/format';
import { keyOf } from '../../lib/labels';
import { useWords } from '../../lib/words';
import { statusWords } from './words';

export default function Storage() {
  const t = useWords(statusWords);
  const f = useFormat();
  const runtime = useRuntime();
  const head = useCardinality(15);
  const figures = useInstant('{__name__=~"modelwatch_storage_.*"}');
  const free = useRange('modelwatch_storage_free_bytes');
  const growth = useRange('{__name__=~"prometheus_tsdb_storage_blocks_bytes|prometheus_tsdb_wal_storage_size_bytes"}');
  const value = (name: string) => figures.data?.find((s) => s.labels.__name__ === `modelwatch_storage_${name}`)?.value;
  const since = head.data?.headStats.minTime ?? 0;
  const names: Record<string, string> = {
    prometheus_tsdb_storage_blocks_bytes: t.metricsSize,
    prometheus_tsdb_wal_storage_size_bytes: t.walSize,
  };
  const retention = parseDuration(runtime.data?.storageRetention ?? '');
  return (
    <Stack gap="sm">
      {value('refusing_writes') === 1 && (
        <Alert color="red" icon={<IconAlertTriangle size={18} />} role="alert">
          {t.refusing}
        </Alert>
      )}
      <div className="mw-figures">
        <Figure label={t.retention} value={retention ? f.span(retention) : (runtime.data?.storageRetention ?? '–')} />
        <Figure label={t.size} value={f.bytes(value('size_bytes') ?? Number.NaN)} />
        <Figure label={t.free} value={f.bytes(value('free_bytes') ?? Number.NaN)} />
        <Figure label={t.reserve} value={f.bytes(value('reserve_bytes') ?? Number.NaN)} />
        {since > 0 && since < 9e15 && <Figure label={t.head} value={f.moment(since)} />}
      </div>
      {/* Each has a scale of its own: what is free would flatten what is taken. */}
      <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="sm">
        <Panel title={t.free}>
          <RangeChart query={free} label={t.free} unit="bytes" name={() => t.free} />
        </Panel>
        <Panel title={t.growth}>
          <RangeChart query={growth} label={t.growth} unit="bytes" name={(l) => names[l.__name__ ?? ''] ?? ''} />
        </Panel>
      </SimpleGrid>
      <Panel title={t.blocks} flush>
        <Blocks />
      </Panel>
      <Panel title={t.logStreams} hint={t.logStreamsHint} flush>
        <Streams />
      </Panel>
    </Stack>
  );
}

function Blocks() {
  const t = useWords(statusWords);
  const f = useFormat();
  return (
    <Await query={useBlocks()} height={60}>
      {(blocks) =>
        blocks.length === 0 ? (
          <Text size="sm" c="dimmed" px="sm" pb="sm">
            {t.noBlocks}
          </Text>
        ) : (
          <Rows
            label={t.blocks}
            rows={[...blocks].sort((a, b) => b.minTime - a.minTime)}
            rowKey={(b) => b.ulid}
            columns={[
              {
                id: 'range',
                title: t.range,
                width: 'minmax(0, 1.4fr)',
                cell: (b) => `${f.moment(b.minTime)} – ${f.moment(b.maxTime)}`,
              },
              {
                id: 'series',
                title: t.seriesCount,
                width: '6rem',
                align: 'right',
                cell: (b) => f.count(b.stats?.numSeries ?? 0),
              },
              {
                id: 'samples',
                title: t.samples,
                width: '7rem',
                align: 'right',
                cell: (b) => f.count(b.stats?.numSamples ?? 0),
              },
              {
                id: 'level',
                title: t.level,
                width: '4rem',
                align: 'right',
                cell: (b) => f.count(b.compaction?.level ?? 1),
              },
              {
                id: 'ulid',
                title: 'ULID',
                width: 'minmax(0, 1fr)',
                cell: (b) => <span className="mw-mono">{b.ulid}</span>,
              },
            ]}
          />
        )
      }
    </Await>
  );
}

function Streams() {
  const t = useWords(statusWords);
  const query = useStreams();
  const note = (text: string) => (
    <Text size="sm" c="dimmed" px="sm" pb="sm">
      {text}
    </Text>
  );
  if (query.error instanceof ApiError && query.error.status === 404) return note(t.noLogs);
  return (
    <Await query={query} height={60}>
      {(streams) =>
        streams.length === 0 ? (
          note(t.noStreams)
        ) : (
          <Rows
            label={t.logStreams}
            rows={streams}
            rowKey={keyOf}
            columns={[
              { id: 'labels', title: t.streamLabels, width: 'minmax(0, 1fr)', cell: (s) => <LabelList labels={s} /> },
            ]}
          />
        )
      }
    </Await>
  );
}
