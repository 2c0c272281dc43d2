import { Button, Group, Select, Stack, Text, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconFilePlus } from '@tabler/icons-react';
import { useMemo, useState } from 'react';
import { Link, useNavigate } from 'react-router';
import {
  type ConfigFile,
  type ConfigPlace,
  leastRole,
  useConfigFile,
  useConfigFiles,
  useConfigPlaces,
  useConfigSchema,
  useCreate,
  useNewFileCheck,
} from '../../api/files';
import { Snippet } from '../../components/Copy';
import { Needs, useRefusal } from '../../components/Needs';
import { Page } from '../../components/Page';
import { Panel } from '../../components/Panel';
import { StatusMark } from '../../components/StatusMark';
import { Await, Empty, ErrorBox } from '../../components/states';
import { useHref } from '../../lib/url';
import { useWords } from '../../lib/words';
import { Back } from './Back';
import classes from './Config.module.css';
import { draftOn, keepDraft, newFileDraft, recallDraft } from './draft';
import { newFileWords } from './newFileWords';
import { PreviewInText } from './PreviewInText';
import { Problems } from './Problems';
import { addPattern } from './patterns';
import { configWords } from './words';
import { YamlEditor } from './YamlEditor';

const skeleton = 'groups:\n  - name: alerts\n    rules: []\n';

/** The pattern that is offered where no directory takes files. */
const offered = 'rules/*.yml';

const goodName = /^[\p{L}\p{N}_][\p{L}\p{N}._-]*$/u;

/** NewFile makes a rule file. */
export default function NewFile() {
  const t = useWords(configWords);
  const n = useWords(newFileWords);
  const places = useConfigPlaces();
  return (
    <Page title={n.newFile} actions={<Back />}>
      <Await query={places} height={420}>
        {(all) => {
          const open = all.filter((p) => p.editable);
          return (
            <Stack gap="sm">
              {open.length > 0 ? (
                <Form places={open} />
              ) : (
                <Empty title={n.noPlace} icon={<IconFilePlus size={32} />}>
                  <Text size="sm" mb="sm">
                    {n.noPlaceText}
                  </Text>
                  <Pattern />
                </Empty>
              )}
              {all
                .filter((p) => !p.editable)
                .map((p) => (
                  <Text key={p.directory} size="sm" c="dimmed" className="mw-wrap">
                    {n.locked(p.directory, p.reason ? t.reason(p.reason.code, p.reason.text) : '')}
                  </Text>
                ))}
            </Stack>
          );
        }}
      </Await>
    </Page>
  );
}

function Form({ places }: { places: ConfigPlace[] }) {
  const t = useWords(configWords);
  const n = useWords(newFileWords);
  const href = useHref();
  const navigate = useNavigate();
  const [start] = useState(() => recallDraft(newFileDraft));
  const [directory, setDirectory] = useState(places[0]?.directory ?? '');
  const [name, setName] = useState('');
  const [text, setText] = useState(start?.text ?? skeleton);
  const [comment, setComment] = useState('');
  const [cursor, setCursor] = useState(start?.line ?? 1);
  const place = places.find((p) => p.directory === directory) ?? places[0];
  const least = leastRole('rules');
  const refused = useRefusal(least);
  const file = useMemo(() => ({ directory, name, text }), [directory, name, text]);
  const [settled] = useDebouncedValue(file, 450);
  const wrong =
    name === '' ? n.needName : /[/\\]/.test(name) ? n.notAName : goodName.test(name) ? undefined : n.badName;
  const check = useNewFileCheck(!wrong && !refused && settled.name ? settled : undefined);
  const schema = useConfigSchema('rules', true);
  const create = useCreate();
  const current = !wrong && settled === file && check.data !== undefined;
  const problems = useMemo(() => check.data?.problems ?? [], [check.data]);
  const path = `${directory}/${name}`;
  const here = useMemo(() => problems.filter((p) => p.file === path), [problems, path]);
  const ready = current && check.data.ok && !refused;
  const send = () =>
    create.mutate(
      { ...file, comment },
      {
        onSuccess: (made) => {
          keepDraft(newFileDraft, undefined);
          void navigate(href(`/files/${made.id}`), { state: 'saved' });
        },
      },
    );
  return (
    <form
      className={classes.split}
      onSubmit={(e) => {
        e.preventDefault();
        if (ready && !create.isPending) send();
      }}
    >
      <Stack gap="sm" miw={0}>
        <Panel title={n.where}>
          <div className={classes.fields}>
            <Select
              label={n.directory}
              classNames={{ input: 'mw-mono' }}
              value={directory}
              data={places.map((p) => p.directory)}
              allowDeselect={false}
              onChange={(v) => v && setDirectory(v)}
              description={place && !place.exists ? n.madeFirst : undefined}
              inputWrapperOrder={['label', 'input', 'description', 'error']}
            />
            <TextInput
              label={n.name}
              classNames={{ input: 'mw-mono' }}
              placeholder="alerts.yml"
              value={name}
              onChange={(e) => setName(e.currentTarget.value.trim())}
              error={wrong && name !== '' ? wrong : undefined}
              description={n.nameHint(place?.patterns.join(', ') ?? '')}
              inputWrapperOrder={['label', 'input', 'description', 'error']}
            />
          </div>
        </Panel>
        <YamlEditor
          value={text}
          onChange={(next) => {
            setText(next);
            keepDraft(newFileDraft, { text: next, base: '', tag: '' });
          }}
          label={t.text}
          readOnly={refused !== undefined}
          yaml
          schema={schema.data}
          problems={here}
          line={start?.line ?? 0}
          onLine={setCursor}
        />
        <Text size="xs" c="dimmed">
          {n.elsewhere}
        </Text>
        <Pattern quiet />
      </Stack>
      <Stack gap="sm" miw={0}>
        <Panel title={t.problems}>
          <Stack gap="sm">
            <div role="status">
              {refused ? (
                <Text size="sm" c="dimmed">
                  {refused}
                </Text>
              ) : wrong ? (
                <Text size="sm" c="dimmed">
                  {n.notYet}
                </Text>
              ) : check.isError && settled === file ? (
                <ErrorBox title={t.checkFailed} error={check.error} />
              ) : !current ? (
                <Text size="sm" c="dimmed">
                  {t.checking}
                </Text>
              ) : problems.length === 0 ? (
                <StatusMark health="healthy" word={t.noProblems} />
              ) : (
                <Problems list={problems} path={path} />
              )}
            </div>
            {create.isError && <ErrorBox title={n.notMade} error={create.error} />}
            <TextInput
              label={t.comment}
              maxLength={300}
              value={comment}
              onChange={(e) => setComment(e.currentTarget.value)}
            />
            <Group gap="xs">
              <Needs least={least}>
                <Button type="submit" loading={create.isPending} disabled={!refused && !ready}>
                  {n.create}
                </Button>
              </Needs>
              {create.isPending && (
                <Text size="sm" c="dimmed" role="status">
                  {n.creating}
                </Text>
              )}
            </Group>
          </Stack>
        </Panel>
        <PreviewInText text={text} line={cursor} />
      </Stack>
    </form>
  );
}

/** Pattern says what to add to rule_files, and leads to the editor of prometheus.yml with it. */
function Pattern({ quiet = false }: { quiet?: boolean }) {
  const t = useWords(configWords);
  const n = useWords(newFileWords);
  const href = useHref();
  const files = useConfigFiles();
  const prometheus = files.data?.find((f) => f.kind === 'prometheus');
  if (!files.data) return null;
  if (!prometheus) return <Text size="sm">{n.noPrometheus}</Text>;
  if (quiet) {
    return (
      <Group>
        <Button component={Link} to={href(`/files/${prometheus.id}`)} variant="default" size="compact-xs">
          {n.openFile}
        </Button>
      </Group>
    );
  }
  return (
    <Stack gap="sm">
      <Snippet text={`rule_files:\n  - ${offered}`} label={n.pattern} />
      {prometheus.editable ? (
        <AddPattern file={prometheus} />
      ) : (
        <Text size="sm" className="mw-wrap">
          {n.readOnly(prometheus.reason ? t.reason(prometheus.reason.code, prometheus.reason.text) : '')}
        </Text>
      )}
    </Stack>
  );
}

function AddPattern({ file }: { file: ConfigFile }) {
  const n = useWords(newFileWords);
  const href = useHref();
  const navigate = useNavigate();
  const query = useConfigFile(file.id);
  const [failed, setFailed] = useState(false);
  return (
    <Await query={query} height={40}>
      {(f) => (
        <Stack gap="xs" align="center">
          {failed && (
            <Text size="sm" c="var(--mw-down)" role="alert">
              {n.cannotAdd}
            </Text>
          )}
          <Button
            onClick={() => {
              if (draftOn(f, (text) => addPattern(text, offered))) void navigate(href(`/files/${f.id}`));
              else setFailed(true);
            }}
          >
            {n.addPattern}
          </Button>
        </Stack>
      )}
    </Await>
  );
}
