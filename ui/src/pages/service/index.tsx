import { Anchor, Group, Select, Tabs, Text } from '@mantine/core';
import { lazy, Suspense } from 'react';
import { Link } from 'react-router';
import { Page } from '../../components/Page';
import { StatusMark } from '../../components/StatusMark';
import { Await, Empty } from '../../components/states';
import { TabList } from '../../components/TabList';
import { useFormat } from '../../lib/format';
import { useTime } from '../../lib/time';
import { useHref, useParam } from '../../lib/url';
import { useWords } from '../../lib/words';
import { Layers } from './Layers';
import { type Subject, useSubject } from './subject';
import { serviceWords } from './words';
import { Young } from './Young';

const tabs = {
  traffic: lazy(() => import('./Traffic')),
  accuracy: lazy(() => import('./Accuracy')),
  data: lazy(() => import('./Data')),
  compare: lazy(() => import('./Compare')),
  baselines: lazy(() => import('./Baselines')),
  inferences: lazy(() => import('./Inferences')),
  resources: lazy(() => import('./Resources')),
};
type Tab = keyof typeof tabs;

export function Component() {
  const t = useWords(serviceWords);
  const f = useFormat();
  const href = useHref();
  const { now } = useTime();
  const s = useSubject();
  const [tabText, setTab] = useParam('tab', 'traffic');
  const tab: Tab = tabText in tabs ? (tabText as Tab) : 'traffic';
  const names: Record<Tab, string> = {
    traffic: t.traffic,
    accuracy: t.accuracy,
    data: t.dataTab,
    compare: t.compare,
    baselines: t.baselines,
    inferences: t.inferences,
    resources: t.resources,
  };
  return (
    <Page
      title={s.service || t.unnamed}
      mark={s.state && <StatusMark health={s.state.health} />}
      actions={
        <Group gap="sm">
          {s.summary?.last && (
            <Text size="xs" c="dimmed" visibleFrom="md">
              {t.lastSeen(f.ago(Date.parse(s.summary.last), Math.max(now, Date.parse(s.summary.last))))}
            </Text>
          )}
          {s.models.length > 1 && (
            <Select
              aria-label={t.model}
              data={s.models}
              value={s.model}
              onChange={(v) => s.setModel(v ?? '')}
              w={150}
            />
          )}
          {s.versions.length > 0 && (
            <Select
              aria-label={t.version}
              data={s.versions.map((v) => ({
                value: v.model_version,
                label:
                  `${s.models.length > 1 ? '' : s.model} ${v.model_version || '–'}${v.retired ? ` (${t.retired})` : ''}`.trim(),
              }))}
              value={s.version}
              onChange={(v) => s.setVersion(v ?? '')}
              w={170}
            />
          )}
          {s.versions.length > 1 && (
            <Select
              aria-label={t.compareWith}
              data={[
                { value: '', label: `${t.compareWith}…` },
                ...s.versions
                  .filter((v) => v.model_version !== s.version)
                  .map((v) => ({ value: v.model_version, label: v.model_version || '–' })),
              ]}
              value={s.other}
              onChange={(v) => s.compare(v ?? '')}
              w={150}
            />
          )}
        </Group>
      }
    >
      <Await query={s.query} height={400}>
        {() =>
          !s.state ? (
            <Empty title={t.noSuch}>
              <Text>{t.noSuchText}</Text>
              <Anchor component={Link} to={href('/')}>
                {t.overview}
              </Anchor>
            </Empty>
          ) : (
            <>
              <Layers layers={s.state.layers} />
              <Young first={s.summary?.first} />
              <Tabs value={tab} onChange={(v) => setTab(v ?? 'traffic')} keepMounted={false}>
                <TabList
                  label={t.sections}
                  tabs={(Object.keys(tabs) as Tab[])
                    .filter((id) => id !== 'compare' || s.versions.length > 1)
                    .map((id) => ({ id, name: names[id] }))}
                  here={tab}
                />
                <Tabs.Panel value={tab} pt="sm">
                  {!s.summary && tab !== 'resources' ? (
                    <Text c="dimmed">{t.noModel}</Text>
                  ) : (
                    <Suspense>
                      <Shown
                        tab={tab}
                        subject={{ service: s.service, model: s.model, version: s.version }}
                        other={s.other}
                        first={s.summary?.first}
                      />
                    </Suspense>
                  )}
                </Tabs.Panel>
              </Tabs>
            </>
          )
        }
      </Await>
    </Page>
  );
}

export interface TabProps {
  subject: Subject;
  /** The version beside it, or nothing. */
  other: string;
  /** When the version's first inference came. */
  first?: string;
}

function Shown({ tab, ...props }: TabProps & { tab: Tab }) {
  const Tab = tabs[tab];
  return <Tab {...props} />;
}
