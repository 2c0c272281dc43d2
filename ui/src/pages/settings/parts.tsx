// What the sections of the settings share.
import { Box, Button, Group, Modal, Radio, Stack, Text } from '@mantine/core';
import type { UseMutationResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import type { TokenRole } from '../../api/session';
import { authWords } from '../../components/authWords';
import { Snippet } from '../../components/Copy';
import { ErrorBox } from '../../components/states';
import { useFormat } from '../../lib/format';
import { useWords } from '../../lib/words';
import { settingsWords } from './words';

/** Dialog is a window over the page; closed where the title is null. */
export function Dialog({ title, close, children }: { title: string | null; close: () => void; children: ReactNode }) {
  const t = useWords(settingsWords);
  return (
    <Modal
      opened={title !== null}
      onClose={close}
      title={title}
      size={480}
      closeButtonProps={{ 'aria-label': t.close }}
      transitionProps={{ duration: 0 }}
    >
      {children}
    </Modal>
  );
}

interface AskProps<In, Out> {
  text: string;
  act: string;
  input: In;
  change: UseMutationResult<Out, Error, In>;
  done: (out: Out) => void;
  close: () => void;
}

/** Ask asks before something that cannot be undone, and shows what went wrong. */
export function Ask<In, Out>({ text, act, input, change, done, close }: AskProps<In, Out>) {
  const t = useWords(settingsWords);
  return (
    <Stack gap="sm">
      <Text size="sm">{text}</Text>
      {change.isError && <ErrorBox error={change.error} />}
      <Group justify="flex-end" gap="xs">
        <Button variant="default" onClick={close} data-autofocus>
          {t.cancel}
        </Button>
        <Button color="red" loading={change.isPending} onClick={() => change.mutate(input, { onSuccess: done })}>
          {act}
        </Button>
      </Group>
    </Stack>
  );
}

interface OnceProps {
  label: string;
  secret: string;
  text: string;
  close: () => void;
  /** More about it. */
  children?: ReactNode;
}

/** Once shows a secret that cannot be shown again. */
export function Once({ label, secret, text, close, children }: OnceProps) {
  const t = useWords(settingsWords);
  return (
    <Stack gap="sm">
      <Text size="sm">{text}</Text>
      <Snippet text={secret} label={label} />
      {children}
      <Group justify="flex-end">
        <Button onClick={close}>{t.close}</Button>
      </Group>
    </Stack>
  );
}

const may = { viewer: 'mayViewer', editor: 'mayEditor', admin: 'mayAdmin', ingest: 'mayIngest' } as const;

interface RolesProps<R extends TokenRole> {
  label: string;
  roles: readonly R[];
  value: R;
  onChange: (role: R) => void;
}

/** Roles lets choose a role, with what each may. */
export function Roles<R extends TokenRole>({ label, roles, value, onChange }: RolesProps<R>) {
  const t = useWords(settingsWords);
  const names = useWords(authWords);
  return (
    <Radio.Group label={label} size="xs" value={value} onChange={(v) => onChange(v as R)}>
      <Stack gap={6} mt={4}>
        {roles.map((r) => (
          <Radio key={r} size="xs" value={r} label={names[r]} description={t[may[r]]} />
        ))}
      </Stack>
    </Radio.Group>
  );
}

/** Moment is how long ago something was, with all of it on hovering. */
export function Moment({ at, none }: { at?: string; none: string }) {
  const f = useFormat();
  if (!at)
    return (
      <Text size="sm" c="dimmed">
        {none}
      </Text>
    );
  const ms = Date.parse(at);
  return <span title={f.full(ms)}>{f.ago(ms)}</span>;
}

/** Two is a line and a smaller one below it. */
export function Two({ first, second }: { first: ReactNode; second?: ReactNode }) {
  return (
    <Box miw={0}>
      <Text size="sm" className="mw-wrap" component="div">
        {first}
      </Text>
      {second && (
        <Text size="xs" c="dimmed" className="mw-wrap" component="div">
          {second}
        </Text>
      )}
    </Box>
  );
}
