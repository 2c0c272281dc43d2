import { Button, Group, Stack, Text, TextInput } from '@mantine/core';
import { IconFileCode } from '@tabler/icons-react';
import { useState } from 'react';
import { Link } from 'react-router';
import { useAlertConfig, useFlags, useScrapeConfig } from '../../api/status';
import { Snippet } from '../../components/Copy';
import { Panel } from '../../components/Panel';
import { Rows } from '../../components/Rows';
import { Await } from '../../components/states';
import { editWords } from '../../components/words';
import { useHref } from '../../lib/url';
import { useWords } from '../../lib/words';
import { statusWords } from './words';

export default function Configuration() {
  const t = useWords(statusWords);
  const e = useWords(editWords);
  const href = useHref();
  const scrape = useScrapeConfig();
  const alert = useAlertConfig();
  return (
    <Stack gap="sm">
      <Group gap="xs">
        <Button
          component={Link}
          to={href('/files')}
          variant="default"
          leftSection={<IconFileCode size={14} aria-hidden />}
        >
          {e.allFiles}
        </Button>
      </Group>
      <Panel title={t.scrapeConfig} hint={t.secretsHidden}>
        <Await query={scrape} height={240}>
          {(yaml) => <Snippet text={yaml} label={t.scrapeConfig} />}
        </Await>
      </Panel>
      <Panel title={t.alertConfig} hint={t.secretsHidden}>
        <Await query={alert} height={120}>
          {(yaml) => <Snippet text={yaml} label={t.alertConfig} />}
        </Await>
      </Panel>
      <Panel title={t.flags} flush>
        <Flags />
      </Panel>
    </Stack>
  );
}

function Flags() {
  const t = useWords(statusWords);
  const [text, setText] = useState('');
  return (
    <Await query={useFlags()} height={200}>
      {(flags) => (
        <>
          <TextInput
            value={text}
            onChange={(e) => setText(e.currentTarget.value)}
            placeholder={t.filterFlags}
            aria-label={t.filterFlags}
            mx="sm"
            mb="xs"
            maw={280}
          />
          <Rows
            label={t.flags}
            rows={Object.entries(flags)
              .filter((e) => e.join(' ').includes(text.trim()))
              .sort()}
            rowKey={(e) => e[0]}
            columns={[
              {
                id: 'flag',
                title: t.flag,
                width: 'minmax(0, 1fr)',
                cell: (e) => <span className="mw-mono">--{e[0]}</span>,
              },
              {
                id: 'value',
                title: t.value,
                width: 'minmax(0, 2fr)',
                cell: (e) =>
                  e[1] ? (
                    <span className="mw-mono">{e[1]}</span>
                  ) : (
                    <Text span size="sm" c="dimmed">
                      {t.notSet}
                    </Text>
                  ),
              },
            ]}
          />
        </>
      )}
    </Await>
  );
}
