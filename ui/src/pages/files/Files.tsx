import { Button, Group, Stack, Text } from '@mantine/core';
import { IconFileCode, IconFilePlus, IconPlus } from '@tabler/icons-react';
import { Link } from 'react-router';
import { type ConfigFile, useConfigFiles } from '../../api/files';
import { Snippet } from '../../components/Copy';
import { Page } from '../../components/Page';
import { type Column, Rows } from '../../components/Rows';
import { Await, Empty } from '../../components/states';
import { useFormat } from '../../lib/format';
import { useHref } from '../../lib/url';
import { useWords } from '../../lib/words';
import { newFileWords } from './newFileWords';
import { configWords } from './words';

const start = 'modelwatch serve --prometheus.config=prometheus.yml --alertmanager.config=alertmanager.yml';

export default function Files() {
  const t = useWords(configWords);
  const n = useWords(newFileWords);
  const f = useFormat();
  const href = useHref();
  const query = useConfigFiles();
  const columns: Column<ConfigFile>[] = [
    {
      id: 'file',
      title: t.file,
      width: 'minmax(220px, 2fr)',
      cell: (x) =>
        x.shown ? (
          <Link to={href(`/files/${x.id}`)} className="mw-link mw-mono mw-wrap">
            {x.path}
          </Link>
        ) : (
          <span className="mw-mono mw-wrap">{x.path}</span>
        ),
    },
    { id: 'kind', title: t.kind, width: '160px', cell: (x) => t[x.kind] },
    {
      id: 'state',
      title: t.state,
      width: 'minmax(200px, 2fr)',
      cell: (x) => (
        <div>
          <Text size="sm">{x.editable ? t.editable : x.reason?.code === 'removed' ? t.removedState : t.readOnly}</Text>
          {x.reason && (
            <Text size="xs" c="dimmed" className="mw-wrap">
              {t.reason(x.reason.code, x.reason.text)}
            </Text>
          )}
        </div>
      ),
    },
    {
      id: 'changed',
      title: t.changed,
      width: 'minmax(130px, 1fr)',
      cell: (x) => {
        const at = x.last?.time ?? x.modified;
        if (!at) return t.never;
        return (
          <div title={f.full(Date.parse(at))}>
            <Text size="sm">{x.last ? f.ago(Date.parse(at)) : t.onDisk(f.ago(Date.parse(at)))}</Text>
            {x.last?.who && (
              <Text size="xs" c="dimmed">
                {t.byWhom(x.last.who)}
              </Text>
            )}
          </div>
        );
      },
    },
  ];
  return (
    <Page
      title={t.title}
      actions={
        <Group gap="xs">
          <Button
            component={Link}
            to={href('/files/new')}
            variant="default"
            leftSection={<IconFilePlus size={14} aria-hidden />}
          >
            {n.newFile}
          </Button>
          <Button component={Link} to={href('/files/new-rule')} leftSection={<IconPlus size={14} aria-hidden />}>
            {t.newRule}
          </Button>
        </Group>
      }
    >
      <Await query={query} height={260}>
        {(files) => (
          <Stack gap="sm">
            {files.every((x) => x.reason?.code === 'builtin') && (
              <Empty title={t.noFiles} icon={<IconFileCode size={32} />}>
                <Text size="sm" mb="sm">
                  {t.noFilesText}
                </Text>
                <Snippet text={start} label={t.startWith} />
              </Empty>
            )}
            <Group className="mw-panel" display="block">
              <Rows label={t.title} columns={columns} rows={files} rowKey={(x) => x.id} estimate={50} />
            </Group>
          </Stack>
        )}
      </Await>
    </Page>
  );
}
