import { Tabs, Text } from '@mantine/core';
import { lazy, Suspense } from 'react';
import { Navigate, useNavigate, useParams } from 'react-router';
import { useMe } from '../../api/auth';
import { Page } from '../../components/Page';
import { Await, Empty } from '../../components/states';
import { useHref } from '../../lib/url';
import { useWords } from '../../lib/words';
import { settingsWords } from './words';

const sections = {
  account: lazy(() => import('./Account')),
  users: lazy(() => import('./Users')),
  tokens: lazy(() => import('./Tokens')),
  audit: lazy(() => import('./Audit')),
};

/** Those that everybody who is logged in has. */
const own = ['account'];

export function Component() {
  const t = useWords(settingsWords);
  const navigate = useNavigate();
  const href = useHref();
  const section = useParams()['*'] || 'account';
  const query = useMe();
  return (
    <Page title={t.title}>
      <Await query={query} height={240}>
        {(me) => {
          if (!me.authEnabled) {
            return (
              <Empty title={t.off}>
                <Text size="sm">{t.offText}</Text>
              </Empty>
            );
          }
          const shown = (Object.keys(sections) as (keyof typeof sections)[]).filter(
            (s) => me.role === 'admin' || own.includes(s),
          );
          const id = shown.find((s) => s === section);
          if (!id) return <Navigate to={href('/settings')} replace />;
          const Section = sections[id];
          return (
            <Tabs
              value={id}
              onChange={(v) => void navigate(href(v === 'account' ? '/settings' : `/settings/${v}`))}
              keepMounted={false}
            >
              <Tabs.List aria-label={t.sections} className="mw-tabs">
                {shown.map((s) => (
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
          );
        }}
      </Await>
    </Page>
  );
}
