import { Accordion, Box, Button, Group, SimpleGrid, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { type Targets, useRelabelSteps, useTargets } from '../../api/targets';
import { LabelList } from '../../components/LabelList';
import { Await, Empty } from '../../components/states';
import { useFormat } from '../../lib/format';
import { keyOf, type Labels } from '../../lib/labels';
import { useWords } from '../../lib/words';
import { statusWords } from './words';

interface Found {
  before: Labels;
  /** Nothing where it was dropped. */
  after?: Labels;
}

/** pools joins what was kept and what was dropped, by job. */
function pools({ activeTargets, droppedTargets }: Targets): [string, Found[]][] {
  const by = new Map<string, Found[]>();
  const add = (pool: string, found: Found) => {
    const list = by.get(pool) ?? [];
    list.push(found);
    by.set(pool, list);
  };
  for (const a of activeTargets) add(a.scrapePool, { before: a.discoveredLabels, after: a.labels });
  for (const d of droppedTargets) add(d.scrapePool ?? d.discoveredLabels.job ?? '', { before: d.discoveredLabels });
  return [...by].sort((a, b) => a[0].localeCompare(b[0]));
}

/** shownAtOnce bounds a job with thousands of targets. */
const shownAtOnce = 100;

export default function Discovery() {
  const t = useWords(statusWords);
  const f = useFormat();
  const query = useTargets('any');
  return (
    <Stack gap="sm">
      <Text size="sm" c="dimmed">
        {t.discoveryHint}
      </Text>
      <Await query={query} height={200}>
        {(data) => {
          const list = pools(data);
          if (list.length === 0) return <Empty title={t.noTargets}>{t.noTargetsText}</Empty>;
          return (
            <Accordion multiple variant="separated" defaultValue={list.length < 4 ? list.map(([p]) => p) : []}>
              {list.map(([pool, found]) => {
                const dropped = data.droppedTargetCounts[pool] ?? 0;
                const listed = found.filter((x) => !x.after).length;
                return (
                  <Accordion.Item key={pool} value={pool}>
                    <Accordion.Control>
                      <Group gap="sm">
                        <Text fw={600} size="sm">
                          {pool}
                        </Text>
                        <Text size="sm" c="dimmed">
                          {t.targets}: {f.count(found.length - listed)} · {t.dropped}: {f.count(dropped)}
                        </Text>
                      </Group>
                    </Accordion.Control>
                    <Accordion.Panel>
                      <Stack gap={0}>
                        {found.slice(0, shownAtOnce).map((x) => (
                          <One key={keyOf(x.before)} pool={pool} found={x} />
                        ))}
                        {found.length > shownAtOnce && <Text size="sm">+ {f.count(found.length - shownAtOnce)}</Text>}
                        {dropped > listed && (
                          <Text size="sm" c="dimmed" pt="xs">
                            {t.droppedMore(f.count(dropped - listed))}
                          </Text>
                        )}
                      </Stack>
                    </Accordion.Panel>
                  </Accordion.Item>
                );
              })}
            </Accordion>
          );
        }}
      </Await>
    </Stack>
  );
}

function One({ pool, found }: { pool: string; found: Found }) {
  const t = useWords(statusWords);
  const [open, setOpen] = useState(false);
  return (
    <Box py="xs" className="mw-line">
      <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
        <Box miw={0}>
          <Text size="xs" c="dimmed" mb={2}>
            {t.before}
          </Text>
          <LabelList labels={found.before} />
        </Box>
        <Box miw={0}>
          <Text size="xs" c="dimmed" mb={2}>
            {t.after}
          </Text>
          {found.after ? (
            <LabelList labels={found.after} />
          ) : (
            <Text size="sm" c="var(--mw-degraded)" fw={600}>
              {t.dropped}
            </Text>
          )}
        </Box>
      </SimpleGrid>
      {!open && (
        <Button variant="default" size="compact-xs" mt={6} onClick={() => setOpen(true)}>
          {t.steps}
        </Button>
      )}
      {open && <Steps pool={pool} labels={found.before} />}
    </Box>
  );
}

function Steps({ pool, labels }: { pool: string; labels: Labels }) {
  const t = useWords(statusWords);
  const query = useRelabelSteps(pool, labels, true);
  return (
    <Await query={query} height={40}>
      {(steps) =>
        steps.length === 0 ? (
          <Text size="sm" c="dimmed" mt={4}>
            {t.noSteps}
          </Text>
        ) : (
          <Stack gap={6} mt="xs">
            {steps.map((s, i) => {
              const before = i === 0 ? labels : (steps[i - 1]?.output ?? {});
              const after = s.output ?? {};
              const changed = Object.fromEntries(Object.entries(after).filter(([k, v]) => before[k] !== v));
              const gone = Object.keys(before).filter((k) => !(k in after));
              return (
                // biome-ignore lint/suspicious/noArrayIndexKey: the order of the steps is what they are.
                <Group key={i} gap="sm" align="flex-start" wrap="nowrap">
                  <code className="mw-mono mw-wrap">
                    {Object.entries(s.rule)
                      .map(([k, v]) => `${k}: ${JSON.stringify(v)}`)
                      .join('  ')}
                  </code>
                  <Text span size="sm">
                    →{' '}
                    {!s.keep ? (
                      <b>{t.droppedHere}</b>
                    ) : Object.keys(changed).length || gone.length ? (
                      <>
                        <LabelList labels={changed} /> {gone.length > 0 && <s>{gone.join(', ')}</s>}
                      </>
                    ) : (
                      t.unchanged
                    )}
                  </Text>
                </Group>
              );
            })}
          </Stack>
        )
      }
    </Await>
  );
}
