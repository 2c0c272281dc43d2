import { SimpleGrid, Stack, Text } from '@mantine/core';
import { useRange } from '../../api/series';
import { Panel } from '../../components/Panel';
import { RangeChart } from '../../components/RangeChart';
import type { Unit } from '../../lib/format';
import { selector } from '../../lib/labels';
import { useWords } from '../../lib/words';
import type { TabProps } from '.';
import { useRateWindow } from './Traffic';
import { serviceWords } from './words';

export default function Resources({ subject }: TabProps) {
  const t = useWords(serviceWords);
  const w = useRateWindow();
  const of = selector({ service: subject.service });
  const process = useRange(`modelwatch_process_resident_memory_bytes${of}`);
  const host: [string, string, Unit][] = [
    [t.cpu, `1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[${w}]))`, 'ratio'],
    [t.memory, '1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes', 'ratio'],
    [
      t.disk,
      'max by (instance, mountpoint) (1 - node_filesystem_avail_bytes{fstype!~"tmpfs|ramfs|overlay|squashfs"} / node_filesystem_size_bytes{fstype!~"tmpfs|ramfs|overlay|squashfs"})',
      'ratio',
    ],
  ];
  const gpu: [string, string, Unit][] = [
    [t.gpu, 'modelwatch_gpu_utilization_ratio', 'ratio'],
    [t.gpuMemory, 'modelwatch_gpu_memory_used_bytes / modelwatch_gpu_memory_total_bytes', 'ratio'],
  ];
  const hasGpu = (useRange('modelwatch_gpu_count').data?.series.length ?? 0) > 0;
  return (
    <Stack gap="sm">
      <Text size="xs" c="dimmed">
        {t.sharedHost}
        {process.data?.series.length === 0 && ` ${t.noProcess}`}
      </Text>
      <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="sm">
        {[...host, ...(hasGpu ? gpu : [])].map(([title, expr, unit]) => (
          <Course key={title} title={title} expr={expr} unit={unit} />
        ))}
        {(process.data?.series.length ?? 0) > 0 && (
          <>
            <Course title={t.process} expr={`modelwatch_process_resident_memory_bytes${of}`} unit="bytes" />
            <Course
              title={`${t.processCpu} (${t.cores})`}
              expr={`rate(modelwatch_process_cpu_seconds_total${of}[${w}])`}
              unit="number"
            />
          </>
        )}
      </SimpleGrid>
    </Stack>
  );
}

function Course({ title, expr, unit }: { title: string; expr: string; unit: Unit }) {
  const query = useRange(expr);
  return (
    <Panel title={title}>
      <RangeChart
        query={query}
        label={title}
        unit={unit}
        height={140}
        max={unit === 'ratio' ? 1 : undefined}
        name={(l) => [l.instance, l.mountpoint, l.gpu, l.service].filter(Boolean).join(' ') || title}
        sync="resources"
      />
    </Panel>
  );
}
