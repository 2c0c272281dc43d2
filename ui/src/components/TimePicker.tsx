import { ActionIcon, Button, Divider, Group, Menu, Popover, SimpleGrid, Stack, Text, TextInput } from '@mantine/core';
import {
  IconChevronLeft,
  IconChevronRight,
  IconClock,
  IconRefresh,
  IconSelector,
  IconZoomOut,
} from '@tabler/icons-react';
import { useIsFetching } from '@tanstack/react-query';
import { useState } from 'react';
import { useFormat } from '../lib/format';
import { presets } from '../lib/range';
import { refreshes, useTime } from '../lib/time';
import { useWords } from '../lib/words';
import classes from './Shell.module.css';
import { shellWords } from './words';

/** local writes ms as the value of an <input type="datetime-local">. */
function local(ms: number): string {
  const d = new Date(ms - new Date(ms).getTimezoneOffset() * 6e4);
  return d.toISOString().slice(0, 19);
}

/** TimePicker chooses the range that the whole page is about. */
export function TimePicker() {
  const t = useWords(shellWords);
  const f = useFormat();
  const { range, from, to, setRange } = useTime();
  const [open, setOpen] = useState(false);
  const label = 'last' in range ? t.last(f.span(range.last)) : `${f.moment(from)} – ${f.moment(to)}`;
  const width = to - from;
  const move = (by: number) => setRange({ from: from + by, to: to + by });
  return (
    <Group gap={0} wrap="nowrap">
      <ActionIcon size="lg" aria-label={t.earlier} title={t.earlier} onClick={() => move(-width)} visibleFrom="sm">
        <IconChevronLeft size={16} />
      </ActionIcon>
      <Popover opened={open} onChange={setOpen} position="bottom-end" trapFocus returnFocus shadow="md">
        <Popover.Target>
          <Button
            variant="default"
            leftSection={<IconClock size={15} aria-hidden />}
            onClick={() => setOpen(!open)}
            aria-label={`${t.timeRange}: ${label}`}
          >
            {label}
          </Button>
        </Popover.Target>
        <Popover.Dropdown p="sm">
          <Stack gap="sm" w={300}>
            <SimpleGrid cols={2} spacing={4} verticalSpacing={4}>
              {presets.map((ms) => (
                <Button
                  key={ms}
                  variant={'last' in range && range.last === ms ? 'light' : 'subtle'}
                  color={'last' in range && range.last === ms ? undefined : 'gray'}
                  justify="flex-start"
                  onClick={() => {
                    setRange({ last: ms });
                    setOpen(false);
                  }}
                >
                  {t.last(f.span(ms))}
                </Button>
              ))}
            </SimpleGrid>
            <Divider label={t.custom} labelPosition="left" />
            <Fixed
              key={`${from} ${to}`}
              from={from}
              to={to}
              apply={(a, b) => {
                setRange({ from: a, to: b });
                setOpen(false);
              }}
            />
          </Stack>
        </Popover.Dropdown>
      </Popover>
      <ActionIcon
        size="lg"
        aria-label={t.later}
        title={t.later}
        onClick={() => move(width)}
        visibleFrom="sm"
        disabled={'last' in range}
        className={classes.later}
      >
        <IconChevronRight size={16} />
      </ActionIcon>
      <ActionIcon
        size="lg"
        aria-label={t.zoomOut}
        title={t.zoomOut}
        visibleFrom="sm"
        onClick={() =>
          setRange('last' in range ? { last: range.last * 2 } : { from: from - width / 2, to: to + width / 2 })
        }
      >
        <IconZoomOut size={16} />
      </ActionIcon>
    </Group>
  );
}

function Fixed({ from, to, apply }: { from: number; to: number; apply: (from: number, to: number) => void }) {
  const t = useWords(shellWords);
  const [a, setA] = useState(local(from));
  const [b, setB] = useState(local(to));
  const bad = !(Date.parse(a) < Date.parse(b));
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        if (!bad) apply(Date.parse(a), Date.parse(b));
      }}
    >
      <Stack gap="xs">
        <TextInput
          type="datetime-local"
          step={1}
          label={t.from}
          value={a}
          onChange={(e) => setA(e.currentTarget.value)}
        />
        <TextInput
          type="datetime-local"
          step={1}
          label={t.to}
          value={b}
          onChange={(e) => setB(e.currentTarget.value)}
          error={bad ? t.badRange : undefined}
        />
        <Button type="submit" disabled={bad}>
          {t.apply}
        </Button>
      </Stack>
    </form>
  );
}

/** Refresh reads everything again, now or regularly. */
export function Refresh() {
  const t = useWords(shellWords);
  const f = useFormat();
  const { refresh, setRefresh, refreshNow } = useTime();
  const busy = useIsFetching() > 0;
  const label = refresh ? f.span(refresh) : t.off;
  return (
    <Group gap={0} wrap="nowrap">
      <ActionIcon size="lg" aria-label={t.refreshNow} title={t.refreshNow} onClick={refreshNow}>
        <IconRefresh size={16} className={busy ? classes.busy : undefined} />
      </ActionIcon>
      <Menu position="bottom-end">
        <Menu.Target>
          <Button
            variant="subtle"
            color="gray"
            px={6}
            rightSection={<IconSelector size={13} aria-hidden />}
            aria-label={`${t.refreshEvery}: ${label}`}
            visibleFrom="sm"
          >
            <Text span size="xs">
              {label}
            </Text>
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Label>{t.refreshEvery}</Menu.Label>
          {refreshes.map((ms) => (
            <Menu.Item key={ms} onClick={() => setRefresh(ms)} fw={ms === refresh ? 600 : undefined}>
              {ms ? t.every(f.span(ms)) : t.off}
            </Menu.Item>
          ))}
        </Menu.Dropdown>
      </Menu>
    </Group>
  );
}
