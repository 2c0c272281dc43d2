import { Badge, Checkbox, Group, Select, Stack, Text } from '@mantine/core';
import { IconMailOff } from '@tabler/icons-react';
import { mostNotifications, type Notification, useNotifications, useRouting } from '../../api/alerting';
import { LabelList } from '../../components/LabelList';
import { type Column, Rows } from '../../components/Rows';
import { StatusMark } from '../../components/StatusMark';
import { Await, Empty } from '../../components/states';
import { useFormat } from '../../lib/format';
import type { Health } from '../../lib/health';
import { useParam } from '../../lib/url';
import { useWords } from '../../lib/words';
import { alertWords } from './words';

const health: Record<Notification['status'], Health> = {
  sent: 'healthy',
  failed: 'down',
  retrying: 'degraded',
  sending: 'unknown',
  recorded: 'degraded',
};

/** History lists every message to a receiver in the page's time range, and whether it arrived. */
export default function History() {
  const t = useWords(alertWords);
  const f = useFormat();
  const [receiver, setReceiver] = useParam('receiver');
  const [failed, setFailed] = useParam('failed', '', true);
  const query = useNotifications(receiver, failed === '1');
  const routing = useRouting();
  const names = [...new Set([...(routing.data?.receivers.map((r) => r.name) ?? []), ...(receiver ? [receiver] : [])])];
  const columns: Column<Notification>[] = [
    {
      id: 'time',
      title: t.time,
      width: '150px',
      cell: (n) => <span title={f.full(Date.parse(n.time))}>{f.exact(Date.parse(n.time))}</span>,
    },
    {
      id: 'outcome',
      title: t.outcome,
      width: '150px',
      cell: (n) => (
        <div>
          <StatusMark health={health[n.status]} word={t[n.status]} />
          <Text size="xs" c="dimmed">
            {n.status === 'recorded' ? t.recordedText : f.seconds(n.durationSeconds)}
            {n.attempts > 1 && `${f.comma}${t.attempts(f.count(n.attempts))}`}
          </Text>
        </div>
      ),
    },
    {
      id: 'whom',
      title: t.whom,
      width: 'minmax(130px, 1fr)',
      cell: (n) => (
        <div>
          <Text size="sm" className="mw-wrap">
            {n.receiver}
          </Text>
          {n.integration && (
            <Text size="xs" c="dimmed">
              {n.integration}
              {n.index > 0 ? ` ${n.index + 1}` : ''}
            </Text>
          )}
        </div>
      ),
    },
    {
      id: 'what',
      title: t.what,
      width: 'minmax(200px, 2.2fr)',
      cell: (n) => (
        <div>
          <Group gap={6}>
            <Text size="sm" fw={600} className="mw-wrap">
              {n.alerts?.join(', ')}
            </Text>
            {n.test && (
              <Badge size="xs" variant="default" tt="none">
                {t.test}
              </Badge>
            )}
            <Text size="xs" c="dimmed">
              {[n.firing > 0 && t.nFiring(f.count(n.firing)), n.resolved > 0 && t.nResolved(f.count(n.resolved))]
                .filter(Boolean)
                .join(', ')}
            </Text>
          </Group>
          <LabelList labels={n.groupLabels ?? {}} without={['alertname']} />
          {n.error && (
            <Text size="xs" c={n.status === 'sent' ? 'dimmed' : 'var(--mw-down)'} className="mw-wrap" pt={2}>
              {n.error}
            </Text>
          )}
        </div>
      ),
    },
    { id: 'why', title: t.why, width: 'minmax(110px, 1fr)', cell: (n) => t.reason(n.reason ?? '') },
  ];
  return (
    <Stack gap="sm">
      <Group gap="sm">
        <Select
          aria-label={t.receiver}
          w={200}
          value={receiver || 'all'}
          data={[{ value: 'all', label: t.allReceivers }, ...names.map((n) => ({ value: n, label: n }))]}
          onChange={(v) => setReceiver(v === 'all' || !v ? '' : v)}
        />
        <Checkbox
          size="xs"
          label={t.onlyFailed}
          checked={failed === '1'}
          onChange={(e) => setFailed(e.currentTarget.checked ? '1' : '')}
        />
      </Group>
      <Await query={query} height={240}>
        {(list) =>
          list.length === 0 ? (
            <Empty title={t.noHistory} icon={<IconMailOff size={32} />}>
              <Text size="sm" c="dimmed">
                {t.noHistoryText}
              </Text>
            </Empty>
          ) : (
            <>
              <div className="mw-panel">
                <Rows label={t.history} columns={columns} rows={list} rowKey={(n) => n.id} estimate={56} />
              </div>
              {list.length >= mostNotifications && (
                <Text size="sm" c="dimmed">
                  {t.cut(f.count(list.length))}
                </Text>
              )}
            </>
          )
        }
      </Await>
    </Stack>
  );
}
