import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { notifications } from '@mantine/notifications';
import { useState } from 'react';
import { exportHref, useBaselineAction, useBaselines } from '../../api/baselines';
import type { BaselineInfo } from '../../api/services';
import { Needs } from '../../components/Needs';
import { Panel } from '../../components/Panel';
import { Rows } from '../../components/Rows';
import { StatusMark } from '../../components/StatusMark';
import { Await, Empty, useReason } from '../../components/states';
import { type Formats, useFormat } from '../../lib/format';
import { sayOfModels } from '../../lib/saidOfModels';
import { useWords } from '../../lib/words';
import type { TabProps } from '.';
import { NewBaseline } from './NewBaseline';
import { serviceWords } from './words';

export default function Baselines({ subject }: TabProps) {
  const t = useWords(serviceWords);
  const query = useBaselines(subject.service, subject.model, subject.version);
  const [opened, { open, close }] = useDisclosure();
  const [busy, setBusy] = useState(false);
  return (
    <>
      <Panel
        title={t.baselines}
        hint={t.baselineHint}
        flush
        actions={
          <Needs least="editor">
            <Button onClick={open} className="mw-fixed">
              {t.newBaseline}
            </Button>
          </Needs>
        }
      >
        <Await query={query} height={160}>
          {(list) =>
            list.length === 0 ? (
              <Empty title={t.noBaselines}>{t.noBaselinesText}</Empty>
            ) : (
              <Table list={[...list].sort((a, b) => b.number - a.number)} />
            )
          }
        </Await>
      </Panel>
      <Modal
        opened={opened}
        onClose={close}
        title={t.newBaseline}
        size={520}
        closeOnClickOutside={!busy}
        closeOnEscape={!busy}
        withCloseButton={!busy}
        closeButtonProps={{ 'aria-label': t.closeFeature }}
      >
        <NewBaseline subject={subject} close={close} onBusy={setBusy} />
      </Modal>
    </>
  );
}

/** noteOf is what is noted of a baseline, without the records and the span, which stand beside it. */
function noteOf(b: BaselineInfo, f: Formats): string {
  if (b.source === 'auto') return '';
  return (b.note ?? '')
    .split('; ')
    .filter((part) => !(b.from && b.to && /^[\d:TZ-]+ to [\d:TZ-]+$/.test(part)))
    .map((part) => sayOfModels(part, f))
    .join(f.semicolon);
}

function Table({ list }: { list: BaselineInfo[] }) {
  const t = useWords(serviceWords);
  const f = useFormat();
  const reason = useReason();
  const action = useBaselineAction();
  const [deleting, setDeleting] = useState<BaselineInfo | null>(null);
  const act = (id: string, what: 'confirm' | 'activate' | 'delete') =>
    action.mutate({ id, act: what }, { onError: (err) => notifications.show({ color: 'red', message: reason(err) }) });
  return (
    <>
      <Rows
        label={t.baselines}
        rows={list}
        rowKey={(b) => b.id}
        estimate={52}
        columns={[
          { id: 'n', title: '#', width: '2.5rem', cell: (b) => f.count(b.number) },
          {
            id: 'state',
            title: t.state,
            width: '12rem',
            cell: (b) => (
              <Stack gap={0}>
                <StatusMark
                  health={b.active ? 'healthy' : 'unknown'}
                  word={b.active ? t.inUse : t.notInUse}
                  size={14}
                />
                {!b.confirmed && (
                  <Text size="xs" c="var(--mw-degraded)">
                    {t.unconfirmed}
                  </Text>
                )}
              </Stack>
            ),
          },
          {
            id: 'source',
            title: t.source,
            width: 'minmax(0, 1fr)',
            cell: (b) => (
              <>
                {noteOf(b, f) ? t.madeOf(t[b.source], noteOf(b, f)) : t[b.source]}
                {b.from && b.to && (
                  <Text size="xs" c="dimmed">
                    {f.between(Date.parse(b.from), Date.parse(b.to))}
                  </Text>
                )}
              </>
            ),
          },
          { id: 'rows', title: t.rows, width: '5.5rem', align: 'right', cell: (b) => f.count(b.rows) },
          { id: 'features', title: t.features, width: '4.5rem', align: 'right', cell: (b) => f.count(b.features) },
          {
            id: 'created',
            title: t.created,
            width: '7.5rem',
            align: 'right',
            cell: (b) => f.moment(Date.parse(b.created)),
          },
          {
            id: 'actions',
            title: <span className="mw-hidden">{t.actions}</span>,
            width: '17.5rem',
            cell: (b) => (
              <Group gap={4} justify="flex-end">
                {!b.confirmed && (
                  <Needs least="editor">
                    <Button size="compact-xs" onClick={() => act(b.id, 'confirm')} loading={action.isPending}>
                      {t.confirm}
                    </Button>
                  </Needs>
                )}
                {!b.active && (
                  <Needs least="editor">
                    <Button size="compact-xs" variant="light" onClick={() => act(b.id, 'activate')}>
                      {t.use}
                    </Button>
                  </Needs>
                )}
                <Button size="compact-xs" variant="subtle" component="a" href={exportHref(b.id)} download>
                  {t.export}
                </Button>
                {!b.active && (
                  <Needs least="editor">
                    <Button size="compact-xs" variant="subtle" color="red" onClick={() => setDeleting(b)}>
                      {t.delete}
                    </Button>
                  </Needs>
                )}
              </Group>
            ),
          },
        ]}
      />
      <Modal
        opened={deleting !== null}
        onClose={() => setDeleting(null)}
        title={t.delete}
        size={420}
        closeButtonProps={{ 'aria-label': t.closeFeature }}
      >
        <Text size="sm">{t.deleteSure(f.count(deleting?.number ?? 0))}</Text>
        <Group justify="flex-end" mt="md" gap="xs">
          <Button variant="default" onClick={() => setDeleting(null)} data-autofocus>
            {t.cancel}
          </Button>
          <Button
            color="red"
            onClick={() => {
              if (deleting) act(deleting.id, 'delete');
              setDeleting(null);
            }}
          >
            {t.delete}
          </Button>
        </Group>
      </Modal>
    </>
  );
}
