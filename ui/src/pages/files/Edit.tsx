import { Alert, Badge, Button, Group, Stack, Text, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconLock } from '@tabler/icons-react';
import { useEffect, useMemo, useRef, useState } from 'react';
import { useLocation, useParams } from 'react-router';
import {
  type ConfigText,
  conflictOf,
  leastRole,
  useConfigCheck,
  useConfigFile,
  useConfigSchema,
  useSave,
} from '../../api/files';
import { Needs, useRefusal } from '../../components/Needs';
import { Page } from '../../components/Page';
import { Panel } from '../../components/Panel';
import { StatusMark } from '../../components/StatusMark';
import { Await, ErrorBox } from '../../components/states';
import { useFormat } from '../../lib/format';
import { soughtIn } from '../../lib/sought';
import { useWords } from '../../lib/words';
import { Back } from './Back';
import classes from './Config.module.css';
import { DiffView } from './DiffView';
import { type Draft, keepDraft, recallDraft } from './draft';
import { lineOf } from './find';
import { Past } from './Past';
import { PreviewInText } from './PreviewInText';
import { Problems } from './Problems';
import { configWords } from './words';
import { YamlEditor } from './YamlEditor';

export default function Edit() {
  const t = useWords(configWords);
  const { id = '' } = useParams();
  const query = useConfigFile(id);
  const name = query.data?.path.split('/').pop();
  return (
    <Page title={name ?? t.title} actions={<Back />}>
      <Await query={query} height={420}>
        {(file) => <FileEditor key={id} file={file} reread={() => void query.refetch()} />}
      </Await>
    </Page>
  );
}

function FileEditor({ file, reread }: { file: ConfigText; reread: () => void }) {
  const t = useWords(configWords);
  const f = useFormat();
  const shown = file.text ?? '';
  const [start] = useState(() => (file.editable ? recallDraft(file.id) : undefined));
  const [restored, setRestored] = useState(start !== undefined && start.line === undefined);
  const [base, setBase] = useState({ text: start?.base ?? shown, tag: start?.tag ?? file.tag ?? '' });
  const [text, setText] = useState(start?.text ?? shown);
  const [line] = useState(() => lineOf(start?.text ?? shown, soughtIn(location.search)) || (start?.line ?? 0));
  const [cursor, setCursor] = useState(line || 1);
  const [reviewing, setReviewing] = useState(false);
  const [saved, setSaved] = useState(useLocation().state === 'saved');
  const dirty = text !== base.text;
  const kept = useRef(true);
  const changed = (next: string) => {
    setText(next);
    setSaved(false);
    const draft: Draft = { text: next, base: base.text, tag: base.tag };
    kept.current = keepDraft(file.id, next === base.text ? undefined : draft);
  };
  /** take begins anew with what the file says. */
  const take = (now: ConfigText) => {
    keepDraft(file.id, undefined);
    setBase({ text: now.text ?? '', tag: now.tag ?? '' });
    setText(now.text ?? '');
    setReviewing(false);
    setRestored(false);
  };
  useEffect(() => {
    if (!dirty) return;
    const warn = (e: BeforeUnloadEvent) => {
      if (!kept.current) e.preventDefault();
    };
    addEventListener('beforeunload', warn);
    return () => removeEventListener('beforeunload', warn);
  }, [dirty]);

  const [settled] = useDebouncedValue(text, 450);
  const refused = useRefusal('editor');
  const check = useConfigCheck(file.id, file.editable && !refused && settled !== base.text ? settled : undefined);
  const schema = useConfigSchema(file.kind, file.editable);
  const current = dirty && settled === text && check.data !== undefined;
  const problems = useMemo(() => (dirty ? (check.data?.problems ?? []) : []), [dirty, check.data]);
  const here = useMemo(() => problems.filter((p) => p.file === file.path), [problems, file.path]);

  if (file.text === null) {
    return (
      <Alert color="gray" icon={<IconLock size={18} />}>
        {t.notShown(file.reason ? t.reason(file.reason.code, file.reason.text) : '')}
      </Alert>
    );
  }
  return (
    <Stack gap="sm">
      <Group gap="xs">
        <Text size="sm" className="mw-mono mw-wrap">
          {file.path}
        </Text>
        <Badge variant="default" tt="none" fw={500}>
          {t[file.kind]}
        </Badge>
      </Group>
      {file.reason && (
        <Alert color="gray" icon={<IconLock size={18} />} p="xs">
          {t.readOnlyBecause(t.reason(file.reason.code, file.reason.text))}
        </Alert>
      )}
      {saved && !dirty && file.reason?.code !== 'removed' && (
        <Alert color="gray" p="xs" role="status">
          <Group gap="sm">
            <StatusMark health="healthy" word={t.saved} />
            <Text size="sm" className="mw-wrap">
              {t.savedText(file.path)} {file.kind === 'modelwatch' && t.atStart}
            </Text>
          </Group>
        </Alert>
      )}
      {restored && dirty && (
        <Alert color="gray" p="xs">
          <Group gap="sm">
            <Text size="sm">{t.restoredDraft}</Text>
            <Button variant="default" size="compact-xs" onClick={() => take({ ...file, text: shown })}>
              {t.discard}
            </Button>
          </Group>
        </Alert>
      )}
      {reviewing ? (
        <Review
          file={file}
          base={base}
          text={text}
          close={() => setReviewing(false)}
          take={take}
          done={() => setSaved(true)}
          rebase={(now) => {
            setBase({ text: now.text ?? '', tag: now.tag ?? '' });
            keepDraft(file.id, { text, base: now.text ?? '', tag: now.tag ?? '' });
          }}
        />
      ) : (
        <div className={classes.split}>
          <Stack gap="xs" miw={0}>
            <YamlEditor
              value={text}
              onChange={changed}
              label={t.text}
              readOnly={!file.editable || refused !== undefined}
              yaml={file.kind !== 'template'}
              schema={schema.data}
              problems={here}
              line={line}
              onLine={setCursor}
            />
            {file.secrets > 0 && (
              <Text size="xs" c="dimmed">
                {t.secrets(f.count(file.secrets))}
              </Text>
            )}
          </Stack>
          <Stack gap="sm" miw={0}>
            {file.editable && (
              <Panel title={t.problems}>
                <Stack gap="xs">
                  <div role="status">
                    {refused ? (
                      <Text size="sm" c="dimmed">
                        {refused}
                      </Text>
                    ) : !dirty ? (
                      <Text size="sm" c="dimmed">
                        {t.unchanged}
                      </Text>
                    ) : check.isError ? (
                      <ErrorBox title={t.checkFailed} error={check.error} retry={() => void check.refetch()} />
                    ) : !current ? (
                      <Text size="sm" c="dimmed">
                        {t.checking}
                      </Text>
                    ) : problems.length === 0 ? (
                      <StatusMark health="healthy" word={t.noProblems} />
                    ) : (
                      <Problems list={problems} path={file.path} />
                    )}
                  </div>
                  <Group gap="xs">
                    <Button disabled={!dirty || (current && !check.data.ok)} onClick={() => setReviewing(true)}>
                      {t.review}
                    </Button>
                    {dirty && (
                      <Button
                        variant="default"
                        onClick={() => {
                          if (confirm(t.discardAsk)) take({ ...file, text: shown });
                        }}
                      >
                        {t.discard}
                      </Button>
                    )}
                  </Group>
                </Stack>
              </Panel>
            )}
            {file.kind === 'rules' && file.reason?.code !== 'removed' && <PreviewInText text={text} line={cursor} />}
            {file.reason?.code !== 'builtin' && (
              <Past
                file={file}
                done={(now) => {
                  take(now);
                  setSaved(true);
                  reread();
                }}
              />
            )}
          </Stack>
        </div>
      )}
    </Stack>
  );
}

interface ReviewProps {
  file: ConfigText;
  base: { text: string; tag: string };
  text: string;
  close: () => void;
  take: (now: ConfigText) => void;
  /** Called when the text was saved. */
  done: () => void;
  rebase: (now: ConfigText) => void;
}

function Review({ file, base, text, close, take, done, rebase }: ReviewProps) {
  const t = useWords(configWords);
  const [comment, setComment] = useState('');
  const save = useSave(file.id);
  const conflict = conflictOf(save.error);
  const least = leastRole(file.kind);
  const no = useRefusal(least);
  const against = conflict?.text ?? base.text;
  const send = () =>
    save.mutate(
      { text, tag: base.tag, comment },
      {
        onSuccess: (now) => {
          take(now);
          done();
        },
      },
    );
  return (
    <Panel title={t.diffTitle}>
      <Stack gap="sm">
        {conflict && (
          <Alert color="red" variant="light" title={t.conflict} role="alert">
            <Stack gap="xs" align="flex-start">
              <Text size="sm">{t.conflictText}</Text>
              <Group gap="xs">
                <Button
                  onClick={() => {
                    rebase(conflict);
                    save.reset();
                  }}
                >
                  {t.keepMine}
                </Button>
                <Button variant="default" onClick={() => take(conflict)}>
                  {t.takeTheirs}
                </Button>
              </Group>
            </Stack>
          </Alert>
        )}
        {save.isError && !conflict && <ErrorBox title={t.notSaved} error={save.error} />}
        <DiffView before={against} after={text} />
        <form
          onSubmit={(e) => {
            e.preventDefault();
            if (!save.isPending && !conflict && !no) send();
          }}
        >
          <Stack gap="sm">
            <TextInput
              label={t.comment}
              maw={560}
              maxLength={300}
              value={comment}
              onChange={(e) => setComment(e.currentTarget.value)}
            />
            <Group gap="xs">
              <Needs least={least}>
                <Button type="submit" loading={save.isPending} disabled={conflict !== undefined}>
                  {t.save}
                </Button>
              </Needs>
              <Button variant="default" onClick={close} disabled={save.isPending}>
                {t.edit}
              </Button>
              {save.isPending && (
                <Text size="sm" c="dimmed" role="status">
                  {t.saving}
                </Text>
              )}
            </Group>
          </Stack>
        </form>
      </Stack>
    </Panel>
  );
}
