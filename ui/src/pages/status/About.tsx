import { SimpleGrid, Stack, Text } from '@mantine/core';
import { useMe } from '../../api/auth';
import { useSources } from '../../api/sources';
import { useBuild, useRuntime } from '../../api/status';
import { authWords } from '../../components/authWords';
import { Facts } from '../../components/Figure';
import { Panel } from '../../components/Panel';
import { Rows } from '../../components/Rows';
import { StatusMark } from '../../components/StatusMark';
import { Await } from '../../components/states';
import { useFormat } from '../../lib/format';
import { useWords } from '../../lib/words';
import { statusWords } from './words';

export default function About() {
  const t = useWords(statusWords);
  const f = useFormat();
  const build = useBuild();
  const runtime = useRuntime();
  return (
    <Stack gap="sm">
      <Access />
      <SimpleGrid cols={{ base: 1, md: 2 }} spacing="sm">
        <Panel title="modelwatch">
          <Await query={build} height={110}>
            {(b) => (
              <Facts
                facts={[
                  [t.version, b.version],
                  [t.revision, b.revision || '–'],
                  ...(b.buildDate ? ([[t.built, b.buildDate]] as [string, string][]) : []),
                  [t.go, b.goVersion],
                ]}
              />
            )}
          </Await>
          <Text size="sm" mt="sm" fw={600}>
            {t.licence}
          </Text>
          <Text size="sm">{t.licenceText}</Text>
        </Panel>
        <Panel title={t.process}>
          <Await query={runtime} height={160}>
            {(r) => (
              <Facts
                facts={[
                  [t.started, `${f.full(Date.parse(r.startTime))} (${f.ago(Date.parse(r.startTime))})`],
                  [
                    t.configLoaded,
                    r.reloadConfigSuccess ? (
                      f.full(Date.parse(r.lastConfigTime))
                    ) : (
                      <StatusMark key="bad" health="degraded" word={t.configBad} />
                    ),
                  ],
                  [t.host, r.hostname ?? '–'],
                  [t.directory, r.CWD],
                  [t.processors, f.count(r.GOMAXPROCS)],
                  [t.goroutines, f.count(r.goroutineCount)],
                ]}
              />
            )}
          </Await>
        </Panel>
      </SimpleGrid>
      <Panel title={t.interfaces} hint={t.interfacesHint} flush>
        <Sources />
      </Panel>
    </Stack>
  );
}

/** Access says who may do what here. */
function Access() {
  const t = useWords(authWords);
  const { data: me } = useMe();
  if (!me) return null;
  return (
    <Text size="sm" role="status">
      {me.authEnabled ? me.user && t.on(me.user.name, t[me.user.role]) : `${t.open} ${t.openHow}`}
    </Text>
  );
}

function Sources() {
  const t = useWords(statusWords);
  return (
    <Await query={useSources()} height={100}>
      {(sources) => (
        <Rows
          label={t.interfaces}
          rows={sources}
          rowKey={(s) => s.name}
          columns={[
            { id: 'name', title: t.name, width: 'minmax(0, 0.7fr)', cell: (s) => s.name },
            {
              id: 'state',
              title: t.state,
              width: 'minmax(0, 0.8fr)',
              cell: (s) => (
                <StatusMark health={s.ok ? 'healthy' : 'unknown'} word={s.ok ? t.connected : t.notConnected} />
              ),
            },
            { id: 'url', title: 'URL', width: 'minmax(0, 1fr)', cell: (s) => <span className="mw-mono">{s.url}</span> },
          ]}
        />
      )}
    </Await>
  );
}
