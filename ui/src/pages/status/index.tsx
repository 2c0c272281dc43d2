import { Tabs } from '@mantine/core';
import { lazy, Suspense } from 'react';
import { Navigate, useNavigate, useParams } from 'react-router';
import { Page } from '../../components/Page';
import { useHref } from '../../lib/url';
import { useWords } from '../../lib/words';
import { statusWords } from './words';

const sections = {
  targets: lazy(() => import('./Targets')),
  discovery: lazy(() => import('./Discovery')),
  cardinality: lazy(() => import('./Cardinality')),
  storage: lazy(() => import('./Storage')),
  configuration: lazy(() => import('./Configuration')),
  about: lazy(() => import('./About')),
};

export function Component() {
  const t = useWords(statusWords);
  const navigate = useNavigate();
  const href = useHref();
  const section = useParams()['*'] || 'targets';
  if (!(section in sections)) return <Navigate to={href('/status')} replace />;
  const id = section as keyof typeof sections;
  const Section = sections[id];
  return (
    <Page title={t.title}>
      <Tabs
        value={id}
        onChange={(v) => void navigate(href(v === 'targets' ? '/status' : `/status/${v}`))}
        keepMounted={false}
      >
        <Tabs.List aria-label={t.sections} className="mw-tabs">
          {(Object.keys(sections) as (keyof typeof sections)[]).map((s) => (
            <Tabs.Tab key={s} value={s}>
              {t[s]}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value={id} pt="sm">
          <Suspense>
            <Section />
          </Suspense>
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
}
