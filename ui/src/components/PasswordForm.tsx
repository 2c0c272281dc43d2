import { Alert, Button, Group, PasswordInput, Stack } from '@mantine/core';
import { type FormEvent, type ReactNode, useState } from 'react';
import { changePassword } from '../api/auth';
import { useFormat } from '../lib/format';
import { useWords } from '../lib/words';
import { passwordWords } from './passwordWords';
import { useReason } from './states';

interface Props {
  user: string;
  /** Least number of characters. */
  least: number;
  /** The current password, where it has just been typed. */
  known?: string;
  save: string;
  done: () => void;
  children?: ReactNode;
}

/** PasswordForm sets one's own password. */
export function PasswordForm({ user, least, known, save, done, children }: Props) {
  const t = useWords(passwordWords);
  const f = useFormat();
  const reason = useReason();
  const [current, setCurrent] = useState(known ?? '');
  const [next, setNext] = useState('');
  const [repeat, setRepeat] = useState('');
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const short = [...next].length < least;
  const same = next !== '' && next === current;
  const differ = next !== repeat;
  const submit = async (e: FormEvent) => {
    e.preventDefault();
    setTried(true);
    if (short || same || differ || !current) return;
    setBusy(true);
    setError(null);
    try {
      await changePassword(current, next);
      setCurrent('');
      setNext('');
      setRepeat('');
      setTried(false);
      done();
    } catch (err) {
      setError(err);
    } finally {
      setBusy(false);
    }
  };
  return (
    <form onSubmit={(e) => void submit(e)}>
      <Stack gap="sm">
        {/* For password managers, which keep a password with its user. */}
        <input
          className="mw-hidden"
          type="text"
          name="username"
          autoComplete="username"
          value={user}
          readOnly
          tabIndex={-1}
          aria-hidden
        />
        {known === undefined && (
          <PasswordInput
            size="sm"
            label={t.current}
            value={current}
            autoComplete="current-password"
            required
            withAsterisk={false}
            onChange={(e) => setCurrent(e.currentTarget.value)}
          />
        )}
        <PasswordInput
          size="sm"
          label={t.next}
          description={t.least(f.count(least))}
          value={next}
          autoComplete="new-password"
          required
          withAsterisk={false}
          data-autofocus
          error={tried && (short ? t.tooShort(f.count(least)) : same && t.same)}
          onChange={(e) => setNext(e.currentTarget.value)}
        />
        <PasswordInput
          size="sm"
          label={t.repeat}
          value={repeat}
          autoComplete="new-password"
          required
          withAsterisk={false}
          error={tried && !short && differ && t.differ}
          onChange={(e) => setRepeat(e.currentTarget.value)}
        />
        {error !== null && (
          <Alert color="red" variant="light" role="alert">
            {reason(error)}
          </Alert>
        )}
        <Group>
          <Button type="submit" size="sm" loading={busy}>
            {save}
          </Button>
          {children}
        </Group>
      </Stack>
    </form>
  );
}
