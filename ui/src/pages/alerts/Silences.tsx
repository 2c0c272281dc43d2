import { Button, Checkbox, Group, Popover, Stack, Text } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconBellOff, IconPlus } from '@tabler/icons-react';
import { useState } from 'react';
import { type Alert, type Silence, useAlertGroups, useExpire, useSilences } from '../../api/alerting';
import { Needs, useRefusal } from '../../components/Needs';
import { type Column, Rows } from '../../components/Rows';
import { Await, Empty, ErrorBox } from '../../components/states';
import { useFormat } from '../../lib/format';
import { writeMatcher } from '../../lib/matchers';
import { useParam } from '../../lib/url';
import { useWords } from '../../lib/words';
import { SilenceForm, type Start } from './SilenceForm';
import { alertWords } from './words';

const order = { active: 0, pending: 1, expired: 2 };

export default function Silences() {
  const t = useWords(alertWords);
  const f = useFormat();
  const query = useSilences();
  const groups = useAlertGroups();
  const [id, setId] = useParam('id');
  const [expired, setExpired] = useParam('expired', '', true);
  const [asked, setAsked] = useParam('new');
  const [form, setForm] = useState<Start | null>(null);
  const alerts = new Map((groups.data ?? []).flatMap((g) => g.alerts).map((a) => [a.fingerprint, a]));
  return (
    <Await query={query} height={240}>
      {(all) => {
        const ended = all.filter((s) => s.status.state === 'expired');
        const shown = all
          .filter((s) => (id ? s.id === id : expired === '1' || s.status.state !== 'expired'))
          .sort((a, b) => order[a.status.state] - order[b.status.state] || Date.parse(a.endsAt) - Date.parse(b.endsAt));
        return (
          <Stack gap="sm">
            <Group gap="sm">
              <Needs least="editor">
                <Button leftSection={<IconPlus size={14} aria-hidden />} onClick={() => setForm({ matchers: [] })}>
                  {t.newSilence}
                </Button>
              </Needs>
              {id ? (
                <Button variant="default" onClick={() => setId('')}>
                  {t.clearFilter}
                </Button>
              ) : (
                ended.length > 0 && (
                  <Checkbox
                    size="xs"
                    label={t.showExpired(f.count(ended.length))}
                    checked={expired === '1'}
                    onChange={(e) => setExpired(e.currentTarget.checked ? '1' : '')}
                  />
                )
              )}
            </Group>
            {shown.length === 0 ? (
              <Empty title={t.noSilences} icon={<IconBellOff size={32} />}>
                <Text size="sm" c="dimmed">
                  {t.noSilencesText}
                </Text>
              </Empty>
            ) : (
              <Table silences={shown} alerts={[...alerts.values()]} onEdit={setForm} />
            )}
            <SilenceForm
              start={form ?? (asked === '1' ? { matchers: [] } : null)}
              close={() => {
                setForm(null);
                if (asked) setAsked('');
              }}
            />
          </Stack>
        );
      }}
    </Await>
  );
}

interface TableProps {
  silences: Silence[];
  alerts: Alert[];
  onEdit: (s: Start) => void;
}

function Table({ silences, alerts, onEdit }: TableProps) {
  const t = useWords(alertWords);
  const f = useFormat();
  const columns: Column<Silence>[] = [
    {
      id: 'state',
      title: t.state,
      width: '110px',
      cell: (s) => {
        const hidden = alerts.filter((a) => a.status.silencedBy.includes(s.id)).length;
        return (
          <div>
            <Text size="sm" fw={s.status.state === 'active' ? 600 : undefined}>
              {t[`${s.status.state}State`]}
            </Text>
            {s.status.state === 'active' && (
              <Text size="xs" c="dimmed">
                {t.hides(f.count(hidden))}
              </Text>
            )}
          </div>
        );
      },
    },
    {
      id: 'matchers',
      title: t.matchers,
      width: 'minmax(200px, 2fr)',
      cell: (s) => <span className="mw-mono mw-wrap">{s.matchers.map(writeMatcher).join(', ')}</span>,
    },
    {
      id: 'comment',
      title: t.comment,
      width: 'minmax(140px, 1.5fr)',
      cell: (s) => (
        <div>
          <Text size="sm" className="mw-wrap">
            {s.comment}
          </Text>
          <Text size="xs" c="dimmed">
            {s.createdBy}
          </Text>
        </div>
      ),
    },
    {
      id: 'ends',
      title: t.ends,
      width: '130px',
      cell: (s) => {
        const at = Date.parse(s.status.state === 'pending' ? s.startsAt : s.endsAt);
        return (
          <span title={f.full(at)}>
            {s.status.state === 'pending' ? `${t.starts} ` : ''}
            {f.ago(at)}
          </span>
        );
      },
    },
    {
      id: 'do',
      title: '',
      width: '190px',
      align: 'right',
      cell: (s) => <Actions silence={s} onEdit={onEdit} />,
    },
  ];
  return (
    <div className="mw-panel">
      <Rows label={t.silences} columns={columns} rows={silences} rowKey={(s) => s.id} estimate={52} />
    </div>
  );
}

function Actions({ silence: s, onEdit }: { silence: Silence; onEdit: (s: Start) => void }) {
  const t = useWords(alertWords);
  const expire = useExpire();
  const [sure, setSure] = useState(false);
  const no = useRefusal('editor');
  const over = s.status.state === 'expired';
  return (
    <Group gap={4} justify="flex-end" wrap="nowrap">
      <Needs least="editor">
        <Button
          variant="default"
          size="compact-xs"
          onClick={() =>
            onEdit(
              over
                ? { matchers: s.matchers, comment: s.comment }
                : { id: s.id, matchers: s.matchers, startsAt: s.startsAt, endsAt: s.endsAt, comment: s.comment },
            )
          }
        >
          {over ? t.recreate : t.edit}
        </Button>
      </Needs>
      {!over && no && (
        <Needs least="editor">
          <Button variant="default" size="compact-xs">
            {t.expire}
          </Button>
        </Needs>
      )}
      {!over && !no && (
        <Popover opened={sure} onChange={setSure} shadow="md" position="bottom-end" trapFocus returnFocus>
          <Popover.Target>
            <Button variant="default" size="compact-xs" onClick={() => setSure(!sure)}>
              {t.expire}
            </Button>
          </Popover.Target>
          <Popover.Dropdown p="sm">
            <Group gap="xs">
              <Text size="sm">{t.expireAsk}</Text>
              <Button
                color="red"
                size="compact-xs"
                loading={expire.isPending}
                onClick={() =>
                  expire.mutate(s.id, {
                    onSuccess: () => {
                      setSure(false);
                      notifications.show({ message: t.expired });
                    },
                  })
                }
              >
                {t.expire}
              </Button>
            </Group>
            {expire.isError && <ErrorBox error={expire.error} />}
          </Popover.Dropdown>
        </Popover>
      )}
    </Group>
  );
}
