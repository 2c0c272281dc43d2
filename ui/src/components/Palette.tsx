import { Kbd, Modal, ScrollArea, Stack, Text, TextInput } from '@mantine/core';
import { IconSearch } from '@tabler/icons-react';
import { useMemo, useRef, useState } from 'react';
import { type Command, useAllCommands } from '../lib/commands';
import { useWords } from '../lib/words';
import classes from './Shell.module.css';
import { shellWords } from './words';

/** matches tells whether all words typed occur, in any order. */
function matches(c: Command, typed: string): boolean {
  const text = `${c.title} ${c.group} ${c.also ?? ''}`.toLowerCase();
  return typed
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

/** Palette finds places and actions by a few letters. */
export function Palette({ opened, close }: { opened: boolean; close: () => void }) {
  const t = useWords(shellWords);
  return (
    <Modal
      opened={opened}
      onClose={close}
      withCloseButton={false}
      title={t.palette}
      classNames={{ header: 'mw-hidden' }}
      padding="xs"
      size={560}
      yOffset="10vh"
      transitionProps={{ duration: 0 }}
    >
      <Inner close={close} />
    </Modal>
  );
}

function Inner({ close }: { close: () => void }) {
  const t = useWords(shellWords);
  const all = useAllCommands();
  const [typed, setTyped] = useState('');
  const [at, setAt] = useState(0);
  const list = useRef<HTMLDivElement>(null);
  const found = useMemo(() => all.filter((c) => matches(c, typed)).slice(0, 60), [all, typed]);
  const chosen = Math.min(at, found.length - 1);
  const move = (by: number) => {
    const next = (chosen + by + found.length) % Math.max(1, found.length);
    setAt(next);
    list.current?.querySelector(`[data-index="${next}"]`)?.scrollIntoView({ block: 'nearest' });
  };
  const run = (c: Command | undefined) => {
    if (!c) return;
    close();
    c.run();
  };
  let group = '';
  return (
    <Stack gap="xs">
      <TextInput
        data-autofocus
        size="sm"
        leftSection={<IconSearch size={15} aria-hidden />}
        placeholder={t.find}
        aria-label={t.find}
        role="combobox"
        aria-expanded
        aria-controls="palette-list"
        aria-activedescendant={found.length ? `palette-${chosen}` : undefined}
        value={typed}
        onChange={(e) => {
          setTyped(e.currentTarget.value);
          setAt(0);
        }}
        onKeyDown={(e) => {
          if (e.nativeEvent.isComposing) return;
          if (e.key === 'ArrowDown') move(1);
          else if (e.key === 'ArrowUp') move(-1);
          else if (e.key === 'Enter') run(found[chosen]);
          else return;
          e.preventDefault();
        }}
      />
      <ScrollArea.Autosize mah="55vh" viewportRef={list} tabIndex={-1}>
        <div role="listbox" id="palette-list" aria-label={t.palette}>
          {found.map((c, i) => {
            const head = c.group !== group ? c.group : null;
            group = c.group;
            return (
              <div key={c.id} role="presentation">
                {head && (
                  <Text size="xs" c="dimmed" px="sm" pt={6} pb={2} role="presentation">
                    {head}
                  </Text>
                )}
                {/* biome-ignore lint/a11y/useKeyWithClickEvents: the keyboard moves in the text field above. */}
                {/* biome-ignore lint/a11y/useFocusableInteractive: the focus stays in the text field, as a combobox wants. */}
                <div
                  role="option"
                  id={`palette-${i}`}
                  data-index={i}
                  aria-selected={i === chosen}
                  className={classes.option}
                  onClick={() => run(c)}
                  onMouseMove={() => setAt(i)}
                >
                  <span>{c.title}</span>
                  {c.keys && <Kbd size="xs">{c.keys}</Kbd>}
                </div>
              </div>
            );
          })}
        </div>
        {found.length === 0 && (
          <Text size="sm" c="dimmed" p="sm" role="status">
            {t.nothingFound}
          </Text>
        )}
      </ScrollArea.Autosize>
    </Stack>
  );
}

/** Help lists every key that does something here. */
export function Help({ opened, close }: { opened: boolean; close: () => void }) {
  const t = useWords(shellWords);
  const all = useAllCommands().filter((c) => c.keys);
  return (
    <Modal opened={opened} onClose={close} title={t.help} size={420} closeButtonProps={{ 'aria-label': t.close }}>
      <Stack gap={4}>
        {[{ id: 'palette', title: t.palette, keys: 'Ctrl K' }, ...all].map((c) => (
          <div key={c.id} className={classes.option}>
            <span>{c.title}</span>
            <span>
              {c.keys?.split(' ').map((k) => (
                <Kbd key={k} size="sm" ml={4}>
                  {k}
                </Kbd>
              ))}
            </span>
          </div>
        ))}
      </Stack>
    </Modal>
  );
}
