import { Autocomplete, Button, Group, Input, Select, Stack, Text, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useId, useMemo, useState } from 'react';
import { useNavigate } from 'react-router';
import { type ConfigFile, useConfigFile, useConfigFiles } from '../../api/files';
import { useMetadata } from '../../api/promql';
import { CodeEditor } from '../../components/CodeEditor';
import { Snippet } from '../../components/Copy';
import { Page } from '../../components/Page';
import { Panel } from '../../components/Panel';
import { Await, Empty } from '../../components/states';
import { useHref, useParam } from '../../lib/url';
import { useWords } from '../../lib/words';
import { promql } from '../explore/language';
import { Back } from './Back';
import classes from './Config.module.css';
import { draftOn, keepDraft, newFileDraft, recallDraft } from './draft';
import { newFileWords } from './newFileWords';
import { Preview } from './Preview';
import { exprOf, groupsOf, insert, type RuleForm, type RuleKind, ruleKinds, startOf, yamlOf } from './rule';
import { configWords } from './words';

const duration = /^(\d+(ms|[smhdwy]))+$|^0s?$/;

const titles = { threshold: 'metric', errors: 'counter', latency: 'histogram', nodata: 'metric' } as const;

/** NewRule is a form for common alert rules, with what they would have done. */
export default function NewRule() {
  const t = useWords(configWords);
  const [kind, setKind] = useParam('kind', 'threshold');
  const known = (ruleKinds as readonly string[]).includes(kind) ? (kind as RuleKind) : 'threshold';
  return (
    <Page title={t.newRule} actions={<Back />}>
      <Form key={known} kind={known} setKind={setKind} />
    </Page>
  );
}

function Form({ kind, setKind }: { kind: RuleKind; setKind: (k: string) => void }) {
  const t = useWords(configWords);
  const [form, setForm] = useState<RuleForm>(() => startOf(kind));
  const set = (part: Partial<RuleForm>) => setForm((old) => ({ ...old, ...part }));
  const [query] = useDebouncedValue(form, 600);
  const expr = exprOf(form);
  const asked = useMemo(() => {
    const e = exprOf(query);
    return e && duration.test(query.for || '0s') ? { expr: e, for: query.for || '0s' } : undefined;
  }, [query]);
  const good = expr !== '' && form.name.trim() !== '' && duration.test(form.for || '0s');
  return (
    <div className={classes.form}>
      <Stack gap="sm" miw={0}>
        <Panel title={t.what}>
          <div className={classes.fields}>
            <Select
              className={classes.wide}
              aria-label={t.what}
              value={kind}
              data={ruleKinds.map((k) => ({ value: k, label: t[k] }))}
              onChange={(v) => v && setKind(v)}
            />
            <Fields form={form} set={set} />
            <Time label={t.for} value={form.for} onChange={(v) => set({ for: v })} />
            <TextInput
              label={t.name}
              value={form.name}
              onChange={(e) => set({ name: e.currentTarget.value })}
              error={form.name.trim() ? undefined : t.badName}
            />
            <Select
              label={t.severity}
              value={form.severity}
              data={['critical', 'warning', 'info']}
              onChange={(v) => v && set({ severity: v })}
            />
            <TextInput
              className={classes.wide}
              label={t.summary}
              description={t.summaryHint}
              value={form.summary}
              onChange={(e) => set({ summary: e.currentTarget.value })}
            />
          </div>
        </Panel>
        <Where rule={good ? yamlOf(form) : undefined} />
      </Stack>
      <Stack gap="sm" miw={0}>
        <Preview rule={asked} empty={t.fillIn} />
        <Panel title={t.ruleText}>
          {good ? (
            <Snippet text={yamlOf(form).join('\n')} label={t.ruleText} />
          ) : (
            <Text size="sm" c="dimmed">
              {t.missing}
            </Text>
          )}
        </Panel>
      </Stack>
    </div>
  );
}

interface FieldsProps {
  form: RuleForm;
  set: (part: Partial<RuleForm>) => void;
}

function Fields({ form, set }: FieldsProps) {
  const t = useWords(configWords);
  const { kind } = form;
  const language = useMemo(() => promql(), []);
  const label = useId();
  if (kind === 'own') {
    return (
      <Input.Wrapper className={classes.wide} label={t.expr} labelProps={{ id: label }} labelElement="div">
        <CodeEditor
          value={form.expr}
          onChange={(v) => set({ expr: v })}
          onRun={() => {}}
          language={language}
          label={t.expr}
        />
      </Input.Wrapper>
    );
  }
  const title = titles[kind as keyof typeof titles];
  const limited = ['threshold', 'errors', 'latency', 'logs'].includes(kind);
  return (
    <>
      {title && <Metric label={t[title]} value={form.metric} onChange={(v) => set({ metric: v })} />}
      {kind === 'errors' && (
        <TextInput
          label={t.failed}
          classNames={{ input: 'mw-mono' }}
          value={form.errorMatcher}
          onChange={(e) => set({ errorMatcher: e.currentTarget.value })}
          error={form.errorMatcher.trim() ? undefined : t.missing}
        />
      )}
      <TextInput
        label={kind === 'logs' ? t.streams : t.matchers}
        placeholder={kind === 'logs' ? undefined : t.matchersHint}
        classNames={{ input: 'mw-mono' }}
        value={form.matchers}
        onChange={(e) => set({ matchers: e.currentTarget.value })}
        error={kind === 'logs' && !form.matchers.trim() ? t.missing : undefined}
      />
      {kind === 'logs' && (
        <TextInput label={t.contains} value={form.text} onChange={(e) => set({ text: e.currentTarget.value })} />
      )}
      {['errors', 'latency', 'logs'].includes(kind) && (
        <TextInput
          label={t.by}
          placeholder={t.byHint}
          classNames={{ input: 'mw-mono' }}
          value={form.by}
          onChange={(e) => set({ by: e.currentTarget.value })}
        />
      )}
      {kind === 'latency' && (
        <Select
          label={t.quantile}
          value={form.quantile}
          data={['0.5', '0.9', '0.95', '0.99', '0.999']}
          onChange={(v) => v && set({ quantile: v })}
        />
      )}
      {['errors', 'latency', 'logs', 'nodata'].includes(kind) && (
        <Time label={t.window} value={form.window} onChange={(v) => set({ window: v })} />
      )}
      {['threshold', 'logs'].includes(kind) && (
        <Select
          label={t.is}
          value={form.op}
          data={[
            { value: '>', label: t.above },
            { value: '<', label: t.below },
          ]}
          onChange={(v) => v && set({ op: v as '>' | '<' })}
        />
      )}
      {limited && (
        <TextInput
          label={{ threshold: t.limit, errors: t.percent, latency: t.seconds, logs: t.lines }[kind as 'errors']}
          value={form.value}
          inputMode="decimal"
          onChange={(e) => set({ value: e.currentTarget.value })}
          error={form.value.trim() && Number.isFinite(Number(form.value)) ? undefined : t.badNumber}
        />
      )}
    </>
  );
}

function Time({ label, value, onChange }: { label: string; value: string; onChange: (v: string) => void }) {
  const t = useWords(configWords);
  return (
    <TextInput
      label={label}
      value={value}
      onChange={(e) => onChange(e.currentTarget.value.trim())}
      error={duration.test(value) ? undefined : t.badDuration}
    />
  );
}

function Metric({ label, value, onChange }: { label: string; value: string; onChange: (v: string) => void }) {
  const t = useWords(configWords);
  const metadata = useMetadata();
  const names = useMemo(() => {
    const out: string[] = [];
    for (const [name, of] of Object.entries(metadata.data ?? {})) {
      out.push(name);
      if (of[0]?.type === 'histogram') out.push(`${name}_bucket`);
    }
    return out.sort();
  }, [metadata.data]);
  return (
    <Autocomplete
      size="xs"
      label={label}
      classNames={{ input: 'mw-mono' }}
      data={names}
      limit={40}
      maxDropdownHeight={260}
      value={value}
      onChange={onChange}
      error={value.trim() ? undefined : t.missing}
    />
  );
}

/** Where asks for the file and the group, and leads to the file's editor with the rule in it. */
function Where({ rule }: { rule: string[] | undefined }) {
  const t = useWords(configWords);
  const n = useWords(newFileWords);
  const files = useConfigFiles();
  const [chosen, setChosen] = useState('');
  return (
    <Panel title={t.where}>
      <Await query={files} height={90}>
        {(all) => {
          const open = all.filter((f) => f.kind === 'rules' && f.editable);
          const file = chosen === fresh ? undefined : (open.find((f) => f.id === chosen) ?? open[0]);
          if (open.length === 0) {
            return (
              <Empty title={t.noRuleFile}>
                <InNewFile rule={rule} />
              </Empty>
            );
          }
          return (
            <Stack gap="sm">
              <Select
                label={t.ruleFile}
                value={file?.id ?? fresh}
                data={open.map((f) => ({ value: f.id, label: f.path })).concat([{ value: fresh, label: n.another }])}
                onChange={(v) => v && setChosen(v)}
              />
              {file ? <InFile key={file.id} file={file} rule={rule} /> : <InNewFile rule={rule} />}
            </Stack>
          );
        }}
      </Await>
    </Panel>
  );
}

const fresh = ' new';

/** InNewFile leads to the page on which a file is made, with the rule in it. */
function InNewFile({ rule }: { rule: string[] | undefined }) {
  const n = useWords(newFileWords);
  const href = useHref();
  const navigate = useNavigate();
  return (
    <Button
      disabled={!rule}
      onClick={() => {
        const made = rule && insert('', 'alerts', rule);
        if (made) keepDraft(newFileDraft, { text: made.text, base: '', tag: '', line: made.line });
        void navigate(href('/files/new'));
      }}
    >
      {n.putIntoNew}
    </Button>
  );
}

function InFile({ file, rule }: { file: ConfigFile; rule: string[] | undefined }) {
  const t = useWords(configWords);
  const href = useHref();
  const navigate = useNavigate();
  const query = useConfigFile(file.id);
  const [group, setGroup] = useState<string>();
  const [name, setName] = useState('alerts');
  const [failed, setFailed] = useState(false);
  return (
    <Await query={query} height={60}>
      {(f) => {
        // What is not saved yet is built upon.
        const text = recallDraft(f.id)?.text ?? f.text ?? '';
        const groups = groupsOf(text);
        const into = group ?? groups[0] ?? fresh;
        const target = into === fresh ? name.trim() : into;
        return (
          <Stack gap="sm">
            <div className={classes.fields}>
              <Select
                label={t.group}
                value={into}
                data={[...new Set(groups)]
                  .map((g) => ({ value: g, label: g }))
                  .concat([{ value: fresh, label: t.newGroup }])}
                onChange={(v) => v && setGroup(v)}
              />
              {into === fresh && (
                <TextInput
                  label={t.newGroupName}
                  value={name}
                  onChange={(e) => setName(e.currentTarget.value)}
                  error={target ? undefined : t.missing}
                />
              )}
            </div>
            {failed && (
              <Text size="sm" c="var(--mw-down)" role="alert">
                {t.cannotPut}
              </Text>
            )}
            <Group>
              <Button
                disabled={!rule || !target}
                onClick={() => {
                  if (rule && draftOn(f, (now) => insert(now, target, rule))) void navigate(href(`/files/${f.id}`));
                  else setFailed(true);
                }}
              >
                {t.putIn}
              </Button>
            </Group>
          </Stack>
        );
      }}
    </Await>
  );
}
