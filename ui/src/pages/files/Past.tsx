import { Badge, Button, Group, Modal, Stack, Text, TextInput } from '@mantine/core';
import { useState } from 'react';
import {
  type ConfigText,
  type ConfigVersion,
  conflictOf,
  leastRole,
  useConfigVersion,
  useConfigVersions,
  useRestore,
} from '../../api/files';
import { Needs, useRefusal } from '../../components/Needs';
import { Panel } from '../../components/Panel';
import { Await, ErrorBox } from '../../components/states';
import { useFormat } from '../../lib/format';
import { useWords } from '../../lib/words';
import classes from './Config.module.css';
import { DiffView } from './DiffView';
import { configWords } from './words';

interface Props {
  file: ConfigText;
  /** Called when a version was restored. */
  done: (now: ConfigText) => void;
}

/** Past is what a file has said, who wrote it, and the way back. */
export function Past({ file, done }: Props) {
  const t = useWords(configWords);
  const f = useFormat();
  const query = useConfigVersions(file.id);
  const [open, setOpen] = useState<ConfigVersion>();
  const [most, setMost] = useState(12);
  const kinds = {
    found: t.found,
    outside: t.outside,
    saved: t.savedHere,
    saving: t.savedHere,
    restored: t.restoredHere,
    restoring: t.restoredHere,
    created: t.createdHere,
    creating: t.createdHere,
    removed: t.removedHere,
    removing: t.removedHere,
    absent: t.absent,
  };
  return (
    <Panel title={t.history}>
      <Await query={query} height={80}>
        {(versions) =>
          versions.length === 0 ? (
            <Text size="sm" c="dimmed">
              {t.noHistory}
            </Text>
          ) : (
            <>
              {versions.slice(0, most).map((v, i) => (
                <div key={v.id} className={classes.version}>
                  <Group gap="xs" justify="space-between" wrap="nowrap">
                    <Text size="sm" title={f.full(Date.parse(v.time))}>
                      {f.moment(Date.parse(v.time))}
                    </Text>
                    {i === 0 ? (
                      <Badge variant="default" tt="none" fw={500}>
                        {t.current}
                      </Badge>
                    ) : (
                      <Button variant="default" size="compact-xs" onClick={() => setOpen(v)}>
                        {t.show}
                      </Button>
                    )}
                  </Group>
                  <Text size="xs" c="dimmed">
                    {kinds[v.kind]}
                    {['saved', 'restored', 'created', 'removed'].includes(v.kind) &&
                      `${f.comma}${v.who ? t.byWhom(v.who) : t.unknownUser}`}
                  </Text>
                  {v.comment && (
                    <Text size="xs" className="mw-wrap">
                      {v.comment}
                    </Text>
                  )}
                </div>
              ))}
              {versions.length > most && (
                <Button variant="subtle" size="compact-xs" onClick={() => setMost(most + 50)}>
                  + {f.count(versions.length - most)}
                </Button>
              )}
            </>
          )
        }
      </Await>
      <Modal
        opened={open !== undefined}
        onClose={() => setOpen(undefined)}
        title={open && t.versionOf(f.moment(Date.parse(open.time)))}
        size="xl"
        closeButtonProps={{ 'aria-label': t.close }}
      >
        {open && (
          <Version
            file={file}
            version={open}
            done={(now) => {
              setOpen(undefined);
              done(now);
            }}
          />
        )}
      </Modal>
    </Panel>
  );
}

function Version({ file, version, done }: Props & { version: ConfigVersion }) {
  const t = useWords(configWords);
  const query = useConfigVersion(file.id, version.id);
  const restore = useRestore(file.id);
  const [comment, setComment] = useState('');
  const conflict = conflictOf(restore.error);
  const least = leastRole(file.kind);
  const no = useRefusal(least);
  const without = ['absent', 'removed', 'removing'].includes(version.kind);
  return (
    <Await query={query} height={200}>
      {(v) => (
        <Stack gap="sm">
          <Text size="sm" c="dimmed">
            {without ? t.noFileThen : t.against}
          </Text>
          <DiffView before={conflict?.text ?? file.text ?? ''} after={v.text ?? ''} secrets={(v.secrets ?? 0) > 0} />
          {restore.isError && <ErrorBox title={conflict ? t.conflict : t.notSaved} error={restore.error} />}
          {(file.editable || (file.reason?.code === 'removed' && !without) || restore.isError) && (
            <form
              onSubmit={(e) => {
                e.preventDefault();
                if (no) return;
                restore.mutate(
                  { version: version.id, tag: conflict?.tag ?? file.tag ?? '', comment },
                  {
                    onSuccess: (now) => {
                      done(now);
                    },
                  },
                );
              }}
            >
              <Stack gap="sm">
                <TextInput
                  label={t.comment}
                  maxLength={300}
                  value={comment}
                  onChange={(e) => setComment(e.currentTarget.value)}
                />
                <Group>
                  <Needs least={least}>
                    <Button type="submit" loading={restore.isPending}>
                      {without ? t.removeFile : t.restore}
                    </Button>
                  </Needs>
                </Group>
              </Stack>
            </form>
          )}
        </Stack>
      )}
    </Await>
  );
}
