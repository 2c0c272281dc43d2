import { Tabs } from '@mantine/core';
import { lazy, Suspense } from 'react';
import { Navigate, useNavigate, useParams } from 'react-router';
import { Page } from '../../components/Page';
import { useHref } from '../../lib/url';
import { useWords } from '../../lib/words';
import { alertWords } from './words';

const sections = {
  active: lazy(() => import('./Active')),
  rules: lazy(() => import('./Rules')),
  silences: lazy(() => import('./Silences')),
  history: lazy(() => import('./History')),
  routing: lazy(() => import('./Routing')),
};

/** Alerts: what fires, why, who was told, and what is kept quiet. */
export function Component() {
  const t = useWords(alertWords);
  const navigate = useNavigate();
  const href = useHref();
  const section = useParams()['*'] || 'active';
  if (!(section in sections)) return <Navigate to={href('/alerts')} replace />;
  const id = section as keyof typeof sections;
  const Section = sections[id];
  return (
    <Page title={t.title}>
      <Tabs
        value={id}
        onChange={(v) => void navigate(href(v === 'active' ? '/alerts' : `/alerts/${v}`))}
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
