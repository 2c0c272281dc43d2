import { Button, Checkbox, FileInput, Group, Progress, SegmentedControl, Stack, Text, TextInput } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { createBaseline, typeOf } from '../../api/baselines';
import { ErrorBox } from '../../components/states';
import { useFormat } from '../../lib/format';
import { useTime } from '../../lib/time';
import { useWords } from '../../lib/words';
import type { Subject } from './subject';
import { serviceWords } from './words';

/** The largest file that the server takes, in bytes. */
const most = 2 ** 31;

interface Props {
  subject: Subject;
  close: () => void;
  /** Told whether something is being sent, which must not end because of a click beside the form. */
  onBusy: (busy: boolean) => void;
}

/** NewBaseline makes a baseline of the page's time range or of a file, with progress, and can be cancelled. */
export function NewBaseline({ subject, close, onBusy }: Props) {
  const t = useWords(serviceWords);
  const f = useFormat();
  const client = useQueryClient();
  const { from, to } = useTime();
  const [kind, setKind] = useState('range');
  const [file, setFile] = useState<File | null>(null);
  const [note, setNote] = useState('');
  const [columns, setColumns] = useState({ prediction: '', label: '', exclude: '' });
  const [activate, setActivate] = useState(true);
  const [share, setShare] = useState<number | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [cancelled, setCancelled] = useState(false);
  const running = useRef<AbortController>(null);
  useEffect(() => () => running.current?.abort(), []);

  const badFile =
    file !== null &&
    ((typeOf(file.name) === undefined && t.badFile) || (file.size > most && t.largeFile(f.bytes(most))) || false);
  const exported = kind === 'file' && file !== null && typeOf(file.name) === 'application/json';
  const table = file !== null && !exported;
  const ready = share === null && (kind === 'range' || (file !== null && !badFile));
  const make = async () => {
    const stop = new AbortController();
    running.current = stop;
    setError(null);
    setCancelled(false);
    setShare(0);
    onBusy(true);
    try {
      const made = await createBaseline(
        {
          ...subject,
          note,
          activate,
          ...(kind === 'range'
            ? { range: { from: new Date(from).toISOString(), to: new Date(to).toISOString() } }
            : { file: file ?? undefined, ...(table ? columns : {}) }),
        },
        setShare,
        stop.signal,
      );
      notifications.show({ message: t.made(f.count(made.number), f.count(made.rows)) });
      await client.invalidateQueries();
      close();
    } catch (err) {
      if (err instanceof DOMException && err.name === 'AbortError') {
        setCancelled(true);
        void client.invalidateQueries(); // It may have been made at that moment.
      } else setError(err);
    } finally {
      setShare(null);
      onBusy(false);
    }
  };
  return (
    <Stack gap="sm">
      <SegmentedControl
        value={kind}
        onChange={setKind}
        data={[
          { value: 'range', label: t.fromRange },
          { value: 'file', label: t.fromFile },
        ]}
      />
      {kind === 'range' ? (
        <Text size="sm">{t.rangeIs(f.moment(from), f.moment(to))}</Text>
      ) : (
        <>
          <FileInput
            label={t.chooseFile}
            size="xs"
            value={file}
            onChange={setFile}
            accept=".csv,.ndjson,.jsonl,.parquet,.json"
            error={badFile || undefined}
          />
          {table && (
            <>
              <Group grow>
                <TextInput
                  label={t.predictionColumn}
                  value={columns.prediction}
                  onChange={(e) => setColumns({ ...columns, prediction: e.currentTarget.value })}
                />
                <TextInput
                  label={t.labelColumn}
                  value={columns.label}
                  onChange={(e) => setColumns({ ...columns, label: e.currentTarget.value })}
                />
              </Group>
              <TextInput
                label={t.excludeColumns}
                value={columns.exclude}
                onChange={(e) => setColumns({ ...columns, exclude: e.currentTarget.value })}
              />
            </>
          )}
        </>
      )}
      {exported ? (
        <Text size="sm" c="dimmed">
          {t.exportedFile}
        </Text>
      ) : (
        <TextInput label={t.note} value={note} onChange={(e) => setNote(e.currentTarget.value)} />
      )}
      <Checkbox
        size="xs"
        label={t.useAtOnce}
        checked={activate}
        onChange={(e) => setActivate(e.currentTarget.checked)}
      />
      {share !== null && (
        <div role="status">
          <Progress value={kind === 'range' || share === 1 ? 100 : share * 100} animated striped aria-label={t.make} />
          <Text size="xs" mt={4}>
            {kind === 'range' || share === 1 ? t.reading : t.sending(f.ratio(Math.floor(share * 100) / 100))}
          </Text>
        </div>
      )}
      {cancelled && share === null && (
        <Text size="sm" role="status">
          {t.makingCancelled}
        </Text>
      )}
      {error !== null && <ErrorBox error={error} />}
      <Group justify="flex-end" gap="xs">
        <Button variant="default" onClick={() => (share === null ? close() : running.current?.abort())}>
          {t.cancel}
        </Button>
        <Button onClick={() => void make()} disabled={!ready}>
          {t.make}
        </Button>
      </Group>
    </Stack>
  );
}
