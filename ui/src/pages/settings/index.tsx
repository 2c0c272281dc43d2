import { Text } from '@mantine/core';
import { lazy } from 'react';
import { useMe } from '../../api/auth';
import { Page } from '../../components/Page';
import { Sections } from '../../components/Sections';
import { Await, Empty } from '../../components/states';
import { useWords } from '../../lib/words';
import { settingsWords } from './words';

const sections = {
  account: lazy(() => import('./Account')),
  users: lazy(() => import('./Users')),
  tokens: lazy(() => import('./Tokens')),
  audit: lazy(() => import('./Audit')),
};

export function Component() {
  const t = useWords(settingsWords);
  const query = useMe();
  return (
    <Page title={t.title}>
      <Await query={query} height={240}>
        {(me) =>
          me.authEnabled ? (
            <Sections
              path="/settings"
              label={t.sections}
              sections={sections}
              names={t}
              // The others are for administrators.
              shown={me.role === 'admin' ? undefined : ['account']}
            />
          ) : (
            <Empty title={t.off}>
              <Text size="sm">{t.offText}</Text>
            </Empty>
          )
        }
      </Await>
    </Page>
  );
}
