import { Text } from '@mantine/core';
import { useMemo } from 'react';
import { useFormat } from '../../lib/format';
import { useWords } from '../../lib/words';
import classes from './Config.module.css';
import { diff, fold } from './diff';
import { configWords } from './words';

const signs = { same: '', in: '+', out: '−' };

/** DiffView shows what changes from one text to the other. */
export function DiffView({ before, after, secrets }: { before: string; after: string; secrets?: boolean }) {
  const t = useWords(configWords);
  const f = useFormat();
  const lines = useMemo(() => fold(diff(before, after)), [before, after]);
  if (before === after) {
    return (
      <Text size="sm" c="dimmed">
        {secrets ? t.onlySecrets : t.noDiff}
      </Text>
    );
  }
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
    <section className={classes.diff} aria-label={t.diffLabel} tabIndex={0}>
      <table>
        <tbody>
          {lines.map((l, i) =>
            typeof l === 'number' ? (
              // biome-ignore lint/suspicious/noArrayIndexKey: lines have no other identity.
              <tr key={i} className={classes.fold}>
                <td colSpan={4}>{t.skipped(f.count(l))}</td>
              </tr>
            ) : (
              // biome-ignore lint/suspicious/noArrayIndexKey: lines have no other identity.
              <tr key={i} data-kind={l.kind}>
                <td className={classes.number}>{l.before}</td>
                <td className={classes.number}>{l.after}</td>
                <td className={classes.sign}>{signs[l.kind]}</td>
                <td>{l.text}</td>
              </tr>
            ),
          )}
        </tbody>
      </table>
    </section>
  );
}
