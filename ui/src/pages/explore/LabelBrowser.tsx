import { Button, Group, Text, TextInput, UnstyledButton } from '@mantine/core';
import { useState } from 'react';
import { useLogLabels, useLogValues } from '../../api/loki';
import { Await, Empty } from '../../components/states';
import { useFormat } from '../../lib/format';
import { type Labels, selector } from '../../lib/labels';
import { useWords } from '../../lib/words';
import classes from './Explore.module.css';
import { exploreWords } from './words';

const most = 300;

/** LabelBrowser chooses a stream by its labels. */
export function LabelBrowser({ onApply }: { onApply: (selector: string) => void }) {
  const t = useWords(exploreWords);
  const f = useFormat();
  const names = useLogLabels();
  const [chosen, setChosen] = useState<Labels>({});
  const [picked, setPicked] = useState('');
  const [find, setFind] = useState('');
  const best = ['service_name', 'job', 'app', 'namespace', 'filename'];
  const name = picked || best.find((b) => names.data?.includes(b)) || names.data?.[0] || '';
  const { [name]: _, ...beside } = chosen;
  const values = useLogValues(name, beside);
  const shown = (values.data ?? []).filter((v) => v.toLowerCase().includes(find.toLowerCase()));
  const text = Object.keys(chosen).length ? selector(chosen) : '';
  return (
    <Await query={names} height={180}>
      {(list) =>
        list.length === 0 ? (
          <Empty title={t.noStreams}>
            <Text size="sm" c="dimmed">
              {t.noStreamsHint}
            </Text>
          </Empty>
        ) : (
          <div>
            <div className={classes.browser}>
              <div className={classes.names}>
                {list.map((n) => (
                  <UnstyledButton
                    key={n}
                    className={classes.choice}
                    aria-pressed={n === name}
                    onClick={() => {
                      setPicked(n);
                      setFind('');
                    }}
                  >
                    {n}
                    {chosen[n] !== undefined && <span aria-hidden>✓</span>}
                  </UnstyledButton>
                ))}
              </div>
              <div>
                {(values.data?.length ?? 0) > 12 && (
                  <TextInput
                    aria-label={t.findLabel}
                    placeholder={t.findLabel}
                    value={find}
                    onChange={(e) => setFind(e.currentTarget.value)}
                    pb={4}
                  />
                )}
                <Await query={values} height={100}>
                  {() => (
                    <div className={classes.names}>
                      {shown.slice(0, most).map((v) => (
                        <UnstyledButton
                          key={v}
                          className={classes.choice}
                          aria-pressed={chosen[name] === v}
                          onClick={() => {
                            const next = { ...chosen };
                            if (next[name] === v) delete next[name];
                            else next[name] = v;
                            setChosen(next);
                          }}
                        >
                          {v}
                        </UnstyledButton>
                      ))}
                      {shown.length > most && (
                        <Text size="xs" c="dimmed">
                          {t.tooMany(f.count(most))}
                        </Text>
                      )}
                    </div>
                  )}
                </Await>
              </div>
            </div>
            <Group pt="xs" gap="xs">
              <Button disabled={!text} onClick={() => onApply(text)}>
                {t.apply}
              </Button>
              {text && (
                <>
                  <span className="mw-mono">{text}</span>
                  <Button variant="subtle" color="gray" onClick={() => setChosen({})}>
                    {t.clear}
                  </Button>
                </>
              )}
            </Group>
          </div>
        )
      }
    </Await>
  );
}
