import { Group, Text } from '@mantine/core';
import type { ConfigProblem } from '../../api/files';
import { StatusMark } from '../../components/StatusMark';
import { useFormat } from '../../lib/format';
import { useSayError } from '../../lib/sayError';
import { useWords } from '../../lib/words';
import classes from './Config.module.css';
import { configWords } from './words';

/** Problems lists what is wrong with a draft of the file at path. */
export function Problems({ list, path }: { list: ConfigProblem[]; path: string }) {
  const t = useWords(configWords);
  const f = useFormat();
  const say = useSayError();
  return (
    <div>
      {list.map((p) => (
        <div key={`${p.file} ${p.line} ${p.reason}`} className={classes.problem}>
          <Group gap="xs">
            <StatusMark health={p.warning ? 'degraded' : 'down'} word={p.warning ? t.warning : t.error} />
            <Text size="xs" c="dimmed" className="mw-wrap">
              {p.line === null ? t.wholeFile : t.line(f.count(p.line))}
              {p.file !== path && ` ${t.elsewhere(p.file)}`}
            </Text>
          </Group>
          <Text size="sm" className="mw-wrap">
            {say(p.reason)}
          </Text>
          {p.hint && (
            <Text size="xs" c="dimmed" className="mw-wrap">
              {say(p.hint)}
            </Text>
          )}
        </div>
      ))}
    </div>
  );
}
