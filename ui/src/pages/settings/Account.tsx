import { Button, SimpleGrid, Stack, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useQueryClient } from '@tanstack/react-query';
import { type Session, useEndSession, useMe, useSessions } from '../../api/auth';
import { toLogin } from '../../api/session';
import { authWords } from '../../components/authWords';
import { Facts } from '../../components/Figure';
import { Panel } from '../../components/Panel';
import { PasswordForm } from '../../components/PasswordForm';
import { Rows } from '../../components/Rows';
import { Await, ErrorBox } from '../../components/states';
import { browserOf } from '../../lib/agent';
import { useFormat } from '../../lib/format';
import { useWords } from '../../lib/words';
import { Moment, Two } from './parts';
import { settingsWords } from './words';

const may = { viewer: 'mayViewer', editor: 'mayAsEditor', admin: 'mayAll' } as const;

export default function Account() {
  const t = useWords(settingsWords);
  const names = useWords(authWords);
  const f = useFormat();
  const client = useQueryClient();
  const { data: me } = useMe();
  const user = me?.user;
  if (!user) return null;
  return (
    <Stack gap="sm">
      <SimpleGrid cols={{ base: 1, md: 2 }} spacing="sm">
        <Panel title={t.account}>
          <Facts
            facts={[
              [t.name, user.name],
              [t.role, `${names[user.role]}: ${t[may[user.role]]}`],
              [t.logsInBy, user.source === 'oidc' ? t.oidc : t.password],
              ...(me.expires ? [[t.sessionEnds, f.full(Date.parse(me.expires))] as [string, string]] : []),
            ]}
          />
        </Panel>
        <Panel title={t.changePassword} hint={user.source === 'oidc' ? undefined : t.changeHint}>
          {user.source === 'oidc' ? (
            <Text size="sm">{t.elsewhere}</Text>
          ) : (
            <PasswordForm
              user={user.name}
              least={me.minPasswordLength}
              save={t.save}
              done={() => {
                notifications.show({ message: t.changed });
                void client.invalidateQueries({ queryKey: ['auth'] });
                void client.invalidateQueries({ queryKey: ['me'] });
              }}
            />
          )}
        </Panel>
      </SimpleGrid>
      <Sessions />
    </Stack>
  );
}

function Sessions() {
  const t = useWords(settingsWords);
  const query = useSessions();
  const end = useEndSession();
  const finish = (s: Session) =>
    end.mutate(s.id, {
      onSuccess: () => (s.current ? toLogin() : notifications.show({ message: t.ended })),
    });
  const others = (query.data ?? []).some((s) => !s.current);
  return (
    <Panel
      title={t.sessions}
      hint={t.sessionsHint}
      flush
      actions={
        others && (
          <Button
            variant="default"
            className="mw-fixed"
            onClick={() => end.mutate('', { onSuccess: () => notifications.show({ message: t.endedOthers }) })}
          >
            {t.endOthers}
          </Button>
        )
      }
    >
      {end.isError && <ErrorBox error={end.error} />}
      <Await query={query} height={90}>
        {(sessions) => (
          <Rows
            label={t.sessions}
            rows={sessions}
            rowKey={(s) => s.id}
            columns={[
              {
                id: 'browser',
                title: t.browser,
                width: 'minmax(0, 1.4fr)',
                cell: (s) => (
                  <span title={s.userAgent}>
                    <Two first={browserOf(s.userAgent)} second={s.current && t.thisOne} />
                  </span>
                ),
              },
              {
                id: 'address',
                title: t.address,
                width: 'minmax(0, 1fr)',
                cell: (s) => <span className="mw-mono mw-wrap">{s.address}</span>,
              },
              { id: 'began', title: t.began, width: '120px', cell: (s) => <Moment at={s.created} none={t.never} /> },
              { id: 'seen', title: t.lastSeen, width: '120px', cell: (s) => <Moment at={s.lastSeen} none={t.never} /> },
              {
                id: 'end',
                title: '',
                width: '80px',
                align: 'right',
                cell: (s) => (
                  <Button variant="default" size="compact-xs" onClick={() => finish(s)}>
                    {t.end}
                  </Button>
                ),
              },
            ]}
          />
        )}
      </Await>
    </Panel>
  );
}
