import { Button, Popover, ScrollArea, Stack, Text, UnstyledButton } from '@mantine/core';
import { IconHistory } from '@tabler/icons-react';
import { useState } from 'react';
import { useFormat } from '../../lib/format';
import { useWords } from '../../lib/words';
import classes from './Explore.module.css';
import { forget, type Past, past } from './history';
import { useAsked } from './state';
import { exploreWords } from './words';

/** PastQueries brings back queries that were run before. */
export function PastQueries() {
  const t = useWords(exploreWords);
  const f = useFormat();
  const [state, change] = useAsked();
  const [list, setList] = useState<Past[] | null>(null);
  const take = (p: Past) => {
    setList(null);
    if (p.language === 'logql') {
      change({ logs: p.query, at: undefined, view: state.view === 'metrics' ? 'logs' : state.view });
    } else {
      const exprs = [...state.exprs];
      const free = exprs.findIndex((e) => e.trim() === '');
      if (free >= 0) exprs[free] = p.query;
      else exprs[exprs.length - 1] = p.query;
      change({ exprs, view: state.view === 'logs' ? 'metrics' : state.view });
    }
  };
  return (
    <Popover
      opened={list !== null}
      onChange={(open) => setList(open ? past() : null)}
      position="bottom-end"
      shadow="md"
      trapFocus
      returnFocus
    >
      <Popover.Target>
        <Button
          variant="default"
          px="xs"
          aria-label={t.history}
          onClick={() => setList(list ? null : past())}
          leftSection={<IconHistory size={14} aria-hidden />}
          classNames={{ section: classes.lone, label: classes.wide }}
        >
          {t.history}
        </Button>
      </Popover.Target>
      <Popover.Dropdown p="xs" w={{ base: 340, sm: 520 }}>
        {list?.length ? (
          <Stack gap={2}>
            <ScrollArea.Autosize mah="60vh" type="auto">
              {list.map((p) => (
                <UnstyledButton key={p.language + p.query} className={classes.past} onClick={() => take(p)}>
                  <span className="mw-mono">{p.query}</span>
                  <Text span size="xs" c="dimmed">
                    {p.language === 'logql' ? 'LogQL' : 'PromQL'} · {f.ago(p.at)}
                  </Text>
                </UnstyledButton>
              ))}
            </ScrollArea.Autosize>
            <Button
              variant="subtle"
              color="gray"
              onClick={() => {
                forget();
                setList([]);
              }}
            >
              {t.forget}
            </Button>
          </Stack>
        ) : (
          <Text size="sm" p="xs">
            {t.noHistory}
          </Text>
        )}
      </Popover.Dropdown>
    </Popover>
  );
}
