import {
  ActionIcon,
  Autocomplete,
  Box,
  Button,
  Group,
  Modal,
  Select,
  Stack,
  Text,
  Textarea,
  TextInput,
} from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { notifications } from '@mantine/notifications';
import { IconPlus, IconTrash } from '@tabler/icons-react';
import { useState } from 'react';
import { useAlertGroups, useMatching, useSilence } from '../../api/alerting';
import { useMe } from '../../api/auth';
import { LabelList } from '../../components/LabelList';
import { ErrorBox } from '../../components/states';
import { parseDuration, writeDuration } from '../../lib/duration';
import { useFormat } from '../../lib/format';
import { hidesAll, type Matcher, type MatchOp, opOf, ops, regexProblem, withOp } from '../../lib/matchers';
import { recall, remember } from '../../lib/storage';
import { useWords } from '../../lib/words';
import classes from './Alerts.module.css';
import { alertWords } from './words';

export interface Start {
  matchers: Matcher[];
  /** Of a silence that is edited. */
  id?: string;
  startsAt?: string;
  endsAt?: string;
  comment?: string;
}

/** SilenceForm makes or changes a silence and says before what it hides. */
export function SilenceForm({ start, close }: { start: Start | null; close: () => void }) {
  const t = useWords(alertWords);
  return (
    <Modal
      opened={start !== null}
      onClose={close}
      size={680}
      title={start?.id ? t.editSilence : t.newSilence}
      closeButtonProps={{ 'aria-label': t.close }}
      transitionProps={{ duration: 0 }}
    >
      {start && <Form start={start} close={close} />}
    </Modal>
  );
}

const blank: Matcher = { name: '', value: '', isRegex: false, isEqual: true };
const lengths = ['30m', '1h', '2h', '4h', '8h', '1d', '3d', '7d'];

function Form({ start, close }: { start: Start; close: () => void }) {
  const t = useWords(alertWords);
  const f = useFormat();
  const send = useSilence();
  const groups = useAlertGroups();
  const [matchers, setMatchers] = useState(start.matchers.length ? start.matchers : [blank]);
  const [length, setLength] = useState(() =>
    start.endsAt ? writeDuration(Math.max(6e4, Math.round((Date.parse(start.endsAt) - Date.now()) / 6e4) * 6e4)) : '2h',
  );
  const { data: me } = useMe();
  const [author, setAuthor] = useState(me?.user?.name ?? recall('author') ?? '');
  const [comment, setComment] = useState(start.comment ?? '');
  const [tried, setTried] = useState(false);
  const ms = parseDuration(length);
  const begins = start.startsAt && Date.parse(start.startsAt) > Date.now() ? Date.parse(start.startsAt) : Date.now();
  const complete = matchers.filter((m) => m.name);
  const wrong = complete.some(regexProblem);
  const tooWide = complete.length === 0 || hidesAll(complete);
  const set = (i: number, m: Matcher) => setMatchers(matchers.map((x, j) => (j === i ? m : x)));
  const known = new Map<string, Set<string>>();
  for (const a of groups.data?.flatMap((g) => g.alerts) ?? [])
    for (const [k, v] of Object.entries(a.labels)) known.set(k, (known.get(k) ?? new Set()).add(v));
  const submit = async () => {
    setTried(true);
    if (!ms || !author.trim() || !comment.trim() || wrong || tooWide) return;
    remember('author', author.trim());
    await send.mutateAsync({
      id: start.id,
      matchers: complete,
      startsAt: new Date(start.id && start.startsAt ? start.startsAt : Date.now()).toISOString(),
      endsAt: new Date(begins + ms).toISOString(),
      createdBy: author.trim(),
      comment: comment.trim(),
    });
    notifications.show({ message: t.created });
    close();
  };
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        submit().catch(() => {
          // Shown below.
        });
      }}
    >
      <Stack gap="sm">
        <Box component="fieldset" p={0} m={0} bd="none">
          <Text component="legend" size="sm" fw={500} pb={4}>
            {t.matchers}
          </Text>
          <Stack gap={4}>
            {matchers.map((m, i) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: matchers have no other identity than their place.
              <div key={i} className={classes.matcher}>
                <Autocomplete
                  size="xs"
                  aria-label={t.name}
                  placeholder={t.name}
                  value={m.name}
                  data={[...known.keys()].sort()}
                  onChange={(name) => set(i, { ...m, name: name.trim() })}
                />
                <Select
                  aria-label={t.operator}
                  value={opOf(m)}
                  data={[...ops]}
                  onChange={(op) => op && set(i, withOp(m, op as MatchOp))}
                />
                <Autocomplete
                  size="xs"
                  aria-label={t.matchValue}
                  placeholder={t.matchValue}
                  value={m.value}
                  data={[...(known.get(m.name) ?? [])].sort()}
                  onChange={(value) => set(i, { ...m, value })}
                  error={regexProblem(m) || undefined}
                />
                <ActionIcon
                  aria-label={t.removeMatcher(m.name)}
                  title={t.removeMatcher(m.name)}
                  disabled={matchers.length === 1}
                  onClick={() => setMatchers(matchers.filter((_, j) => j !== i))}
                >
                  <IconTrash size={15} />
                </ActionIcon>
              </div>
            ))}
            <Group>
              <Button
                variant="subtle"
                size="compact-xs"
                leftSection={<IconPlus size={13} aria-hidden />}
                onClick={() => setMatchers([...matchers, blank])}
              >
                {t.addMatcher}
              </Button>
            </Group>
            {tried && tooWide && (
              <Text size="xs" c="var(--mw-down)" role="alert">
                {t.matchersNeeded}
              </Text>
            )}
          </Stack>
        </Box>
        <Preview matchers={wrong || tooWide ? [] : complete} />
        <Group align="flex-start" gap="sm" grow preventGrowOverflow={false}>
          <Autocomplete
            size="xs"
            label={t.duration}
            value={length}
            data={lengths}
            filter={({ options }) => options}
            onChange={setLength}
            error={ms ? undefined : t.badDuration}
            description={ms ? t.until(f.full(begins + ms)) : undefined}
            inputWrapperOrder={['label', 'input', 'description', 'error']}
          />
          <TextInput
            label={t.author}
            value={author}
            autoComplete="name"
            onChange={(e) => setAuthor(e.currentTarget.value)}
            error={tried && !author.trim() ? t.authorNeeded : undefined}
          />
        </Group>
        <Textarea
          size="xs"
          label={t.comment}
          autosize
          minRows={2}
          value={comment}
          onChange={(e) => setComment(e.currentTarget.value)}
          error={tried && !comment.trim() ? t.commentNeeded : undefined}
        />
        {send.isError && <ErrorBox error={send.error} />}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={close}>
            {t.cancel}
          </Button>
          <Button type="submit" loading={send.isPending}>
            {start.id ? t.save : t.create}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function Preview({ matchers }: { matchers: Matcher[] }) {
  const t = useWords(alertWords);
  const f = useFormat();
  const [settled] = useDebouncedValue(matchers, 300);
  const found = useMatching(settled);
  if (matchers.length === 0 || !found.data) return null;
  return (
    <Box role="status">
      <Text size="sm" c={found.data.length ? undefined : 'dimmed'}>
        {found.data.length ? t.preview(f.count(found.data.length)) : t.previewNone}
      </Text>
      {found.data.slice(0, 5).map((a) => (
        <Box key={a.fingerprint} pt={4}>
          <LabelList labels={a.labels} />
        </Box>
      ))}
      {found.data.length > 5 && (
        <Text size="xs" c="dimmed">
          + {f.count(found.data.length - 5)}
        </Text>
      )}
    </Box>
  );
}
