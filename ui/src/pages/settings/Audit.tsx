import { Button, Group, Stack, Text } from '@mantine/core';
import { IconHistory } from '@tabler/icons-react';
import { type AuditEvent, useAudit } from '../../api/auth';
import { authWords } from '../../components/authWords';
import { type Column, Rows } from '../../components/Rows';
import { Await, Empty } from '../../components/states';
import { useFormat } from '../../lib/format';
import { useParam } from '../../lib/url';
import { useLocale, useWords } from '../../lib/words';
import { Two } from './parts';
import { said } from './said';
import { settingsWords } from './words';

export default function Audit() {
  const t = useWords(settingsWords);
  const [before, setBefore] = useParam('before');
  const query = useAudit(before);
  return (
    <Stack gap="sm">
      <Text size="sm" c="dimmed" maw={720}>
        {t.auditHint}
      </Text>
      <Await query={query} height={320}>
        {(page) => (
          <>
            {page.events.length === 0 ? (
              <Empty title={t.noEvents} icon={<IconHistory size={32} />} />
            ) : (
              <Table events={page.events} />
            )}
            <Group gap="xs" justify="flex-end">
              {before && (
                <Button variant="default" onClick={() => setBefore('')}>
                  {t.newest}
                </Button>
              )}
              {page.next && (
                <Button variant="default" onClick={() => setBefore(String(page.next))}>
                  {t.older}
                </Button>
              )}
            </Group>
          </>
        )}
      </Await>
    </Stack>
  );
}

function Table({ events }: { events: AuditEvent[] }) {
  const t = useWords(settingsWords);
  const names = useWords(authWords);
  const f = useFormat();
  const { locale } = useLocale();
  const roleOf = (role: string | undefined) =>
    role && role in names ? names[role as 'viewer' | 'editor' | 'admin' | 'ingest'] : role;
  const result = (e: AuditEvent) => {
    if (e.status === undefined) return e.method ? t.unknown : t.done;
    if (e.status < 400) return t.done;
    return `${e.status === 401 || e.status === 403 ? t.refused : t.failed} (${e.status})`;
  };
  const columns: Column<AuditEvent>[] = [
    {
      id: 'time',
      title: t.time,
      width: '130px',
      cell: (e) => {
        const at = Date.parse(e.time);
        return (
          <span className="mw-number" title={f.full(at)}>
            {f.moment(at)}
          </span>
        );
      },
    },
    {
      id: 'who',
      title: t.who,
      width: 'minmax(0, 1fr)',
      cell: (e) => <Two first={e.who || '–'} second={[roleOf(e.role), e.address].filter(Boolean).join(', ')} />,
    },
    {
      id: 'what',
      title: t.what,
      width: 'minmax(0, 2fr)',
      cell: (e) => {
        const request = e.method && `${e.method} ${e.path ?? ''}${e.query ? `?${e.query}` : ''}`;
        return (
          <Two
            first={(e.action && said(e.action, locale)) || <span className="mw-mono">{request}</span>}
            second={e.action && request && <span className="mw-mono">{request}</span>}
          />
        );
      },
    },
    {
      id: 'result',
      title: t.result,
      width: 'minmax(90px, 0.7fr)',
      cell: (e) => (
        <Text size="sm" c={e.status !== undefined && e.status >= 400 ? 'var(--mw-degraded)' : undefined}>
          {result(e)}
        </Text>
      ),
    },
  ];
  return (
    <div className="mw-panel">
      <Rows label={t.audit} columns={columns} rows={events} rowKey={(e) => String(e.seq)} estimate={48} />
    </div>
  );
}
