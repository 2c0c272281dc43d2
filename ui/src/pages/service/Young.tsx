import { Button, Group, Text } from '@mantine/core';
import { useFormat } from '../../lib/format';
import { presets, stepFor } from '../../lib/range';
import { useTime } from '../../lib/time';
import { useWords } from '../../lib/words';
import { serviceWords } from './words';

/** How long it takes for a rate at the latest, beside a step of the chart: two scrapes, and a refresh of the page. */
const firstRate = 60_000;

/** fitting is the narrowest range offered that holds all since a moment, or nothing where the range shown is narrow too. */
export function fitting(first: number, from: number, to: number): number | undefined {
  const age = to - first;
  if (!(age >= 0) || age > (to - from) / 10) return undefined;
  return presets.find((ms) => ms >= age && ms < to - from);
}

/** useAwaited says what a chart of so many points waits for, where the first inference has only just come. */
export function useAwaited(first: string | undefined, points?: number): string | undefined {
  const t = useWords(serviceWords);
  const { from, to, now } = useTime();
  const age = now - Date.parse(first ?? '');
  return age < firstRate + stepFor(from, to, points) * 1000 ? t.awaited : undefined;
}

/** Young offers a narrower range where inferences have come for a small part of the range only. */
export function Young({ first }: { first?: string }) {
  const t = useWords(serviceWords);
  const f = useFormat();
  const { range, from, to, setRange } = useTime();
  const at = Date.parse(first ?? '');
  const last = fitting(at, from, to);
  if (!('last' in range) || last === undefined) return null;
  return (
    <Group gap="xs" role="status">
      <Text size="sm" c="dimmed">
        {t.young(f.ago(at, Math.max(at, to)))}
      </Text>
      <Button size="compact-xs" variant="default" onClick={() => setRange({ last })}>
        {t.showLast(f.span(last))}
      </Button>
    </Group>
  );
}
