import { Button, CloseButton, SimpleGrid, Skeleton, Stack, Text, TextInput } from '@mantine/core';
import { lazy, Suspense, useMemo, useState } from 'react';
import { type Feature, useDrift, useFeatures, useVersion } from '../../api/models';
import { Panel } from '../../components/Panel';
import { Rows } from '../../components/Rows';
import { StatusMark } from '../../components/StatusMark';
import { Await } from '../../components/states';
import { tell } from '../../lib/findings';
import { useFormat } from '../../lib/format';
import type { Health } from '../../lib/health';
import { kindWords } from '../../lib/kinds';
import { sayOfModels } from '../../lib/saidOfModels';
import { useParam } from '../../lib/url';
import { useWords } from '../../lib/words';
import type { TabProps } from '.';
import { DriftMap } from './DriftMap';
import { FeaturePanel } from './Feature';
import { serviceWords } from './words';

const OtherRules = lazy(() => import('./OtherRules'));

/** Verdicts as states, for their icons and colours. */
export const verdictHealth: Record<Feature['verdict'], Health> = {
  none: 'healthy',
  possible: 'degraded',
  drift: 'down',
  unknown: 'unknown',
};

export default function Data({ subject }: TabProps) {
  const t = useWords(serviceWords);
  const f = useFormat();
  const [feature, setFeature] = useParam('feature');
  const [rule, setRule] = useParam('rule');
  const drift = useDrift(subject.service, subject.model, subject.version);
  const features = useFeatures(subject.service, subject.model, subject.version);
  const thresholds = useMemo(
    () => new Map((features.data?.features ?? []).map((x) => [x.feature, x.threshold])),
    [features.data],
  );
  return (
    <Stack gap="sm">
      <Panel title={t.driftTitle} hint={t.driftHint}>
        <Await query={drift} height={260}>
          {(d) => (
            <>
              {d.rows.length === 0 ? (
                <Text size="sm" c="dimmed">
                  {features.data?.baseline_id === '' ? t.noBaseline : t.noWindows}
                </Text>
              ) : (
                <DriftMap drift={d} thresholds={thresholds} chosen={feature} choose={setFeature} />
              )}
              {d.left_out > 0 && (
                <Text size="xs" c="dimmed">
                  {t.leftOut(f.count(d.left_out))}
                </Text>
              )}
            </>
          )}
        </Await>
      </Panel>
      {feature && <FeaturePanel subject={subject} feature={feature} close={() => setFeature('')} />}
      <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="sm">
        <Panel title={t.findings} flush>
          <Findings subject={subject} other="" />
        </Panel>
        <Panel title={t.features} flush>
          <Await query={features} height={200}>
            {(x) => <FeatureTable list={x.features} choose={setFeature} />}
          </Await>
        </Panel>
      </SimpleGrid>
      <Panel
        title={t.otherRules}
        actions={
          rule ? (
            <CloseButton size="sm" onClick={() => setRule('')} aria-label={t.closeFeature} />
          ) : (
            <Button variant="default" className="mw-fixed" onClick={() => setRule('evidently')}>
              {t.compareByOther}
            </Button>
          )
        }
      >
        {rule ? (
          <Suspense fallback={<Skeleton height={120} />}>
            <OtherRules key={`${subject.service}\n${subject.model}\n${subject.version}`} subject={subject} />
          </Suspense>
        ) : (
          <Text size="sm" c="dimmed">
            {t.otherRulesHint}
          </Text>
        )}
      </Panel>
    </Stack>
  );
}

function Findings({ subject }: TabProps) {
  const t = useWords(serviceWords);
  const kinds = useWords(kindWords);
  const f = useFormat();
  const version = useVersion(subject.service, subject.model, subject.version);
  return (
    <Await query={version} height={120}>
      {(v) => {
        const list = v.layers.filter((l) => l.layer === 'data').flatMap((l) => l.findings);
        if (list.length === 0) {
          return (
            <Text size="sm" c="dimmed" px="sm" pb="sm">
              {t.noFindings}
            </Text>
          );
        }
        return (
          <Rows
            label={t.findings}
            rows={list}
            rowKey={(x) => `${x.kind} ${x.feature ?? ''} ${x.message}`}
            columns={[
              {
                id: 'kind',
                title: t.kind,
                width: '11rem',
                cell: (x) => (
                  <StatusMark
                    health={x.severity === 'critical' ? 'down' : x.severity === 'warning' ? 'degraded' : 'unknown'}
                    word={kinds[x.kind as keyof typeof kinds] ?? x.kind}
                    size={14}
                  />
                ),
              },
              { id: 'text', title: '', width: 'minmax(0, 1fr)', cell: (x) => tell(x, f) },
            ]}
          />
        );
      }}
    </Await>
  );
}

function FeatureTable({ list, choose }: { list: Feature[]; choose: (name: string) => void }) {
  const t = useWords(serviceWords);
  const f = useFormat();
  const [text, setText] = useState('');
  const shown = list.filter((x) => x.feature.toLowerCase().includes(text.trim().toLowerCase()));
  return (
    <>
      {list.length > 15 && (
        <TextInput
          value={text}
          onChange={(e) => setText(e.currentTarget.value)}
          placeholder={t.filterFeatures}
          aria-label={t.filterFeatures}
          mx="sm"
          mb={4}
          maw={240}
        />
      )}
      <Rows
        label={t.features}
        short
        rows={shown}
        rowKey={(x) => x.feature}
        columns={[
          {
            id: 'feature',
            title: t.feature,
            width: 'minmax(0, 1fr)',
            cell: (x) => (
              <button type="button" className="mw-button-link" onClick={() => choose(x.feature)}>
                {x.feature}
              </button>
            ),
          },
          {
            id: 'verdict',
            title: t.verdict,
            width: '8.5rem',
            cell: (x) => (
              <span title={x.reason && sayOfModels(x.reason, f)}>
                <StatusMark health={verdictHealth[x.verdict]} word={t[x.verdict]} size={14} />
              </span>
            ),
          },
          {
            id: 'score',
            title: t.score,
            width: '5rem',
            align: 'right',
            cell: (x) => (x.method ? f.number(x.score) : '–'),
          },
          {
            id: 'missing',
            title: t.missing,
            width: '4.5rem',
            align: 'right',
            cell: (x) => f.ratio(x.window?.missing_ratio ?? Number.NaN),
          },
        ]}
      />
    </>
  );
}
