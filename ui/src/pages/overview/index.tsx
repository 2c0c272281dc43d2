import { Group, SegmentedControl, Stack, Text, TextInput } from '@mantine/core';
import { IconSearch } from '@tabler/icons-react';
import { useMemo } from 'react';
import { useNavigate } from 'react-router';
import { type ServiceState, useServices } from '../../api/services';
import { Page } from '../../components/Page';
import { Panel } from '../../components/Panel';
import { Await } from '../../components/states';
import { stateWords } from '../../components/words';
import { useCommands } from '../../lib/commands';
import { useFormat } from '../../lib/format';
import { type Health, rank } from '../../lib/health';
import { useHref, useParam } from '../../lib/url';
import { useWords } from '../../lib/words';
import { Firing } from './Firing';
import { Start } from './Start';
import { Table } from './Table';
import { overviewWords } from './words';

/** From how many services on a filter helps. */
const filterFrom = 8;

export function Component() {
  const t = useWords(overviewWords);
  const f = useFormat();
  const query = useServices();
  const at = query.data?.at ? Date.parse(query.data.at) : 0;
  return (
    <Page
      title={t.title}
      actions={
        at > 0 && (
          <Text size="xs" c="dimmed" title={f.full(at)}>
            {t.judged(f.time(at))}
          </Text>
        )
      }
    >
      <Firing />
      <Await query={query} height={320}>
        {({ services }) => (services.length === 0 ? <Start /> : <Services services={services} />)}
      </Await>
    </Page>
  );
}

const order: Health[] = ['down', 'degraded', 'unknown', 'healthy'];

function Services({ services }: { services: ServiceState[] }) {
  const t = useWords(overviewWords);
  const states = useWords(stateWords);
  const f = useFormat();
  const navigate = useNavigate();
  const href = useHref();
  const [text, setText] = useParam('q', '', true);
  const [state, setState] = useParam('state', 'all');
  const sorted = useMemo(
    () => [...services].sort((a, b) => rank[b.health] - rank[a.health] || a.service.localeCompare(b.service)),
    [services],
  );
  const shown = useMemo(() => {
    const typed = text.trim().toLowerCase();
    return sorted.filter(
      (s) =>
        (state === 'all' || s.health === state) &&
        (typed === '' || `${s.service} ${s.models.map((m) => m.model).join(' ')}`.toLowerCase().includes(typed)),
    );
  }, [sorted, text, state]);
  useCommands(
    sorted.slice(0, 200).map((s) => ({
      id: `service-${s.service}`,
      title: s.service || t.unnamed,
      group: t.services,
      run: () => void navigate(href(`/services/${encodeURIComponent(s.service || '~')}`)),
    })),
  );
  const count = (h: Health) => services.filter((s) => s.health === h).length;
  return (
    <Stack gap="sm">
      {services.length >= filterFrom && (
        <Group gap="sm">
          <SegmentedControl
            value={state}
            onChange={setState}
            aria-label={t.layersTitle}
            data={[
              { value: 'all', label: `${t.all} ${f.count(services.length)}` },
              ...order
                .filter((h) => count(h) > 0 || h === state)
                .map((h) => ({ value: h, label: `${states[h]} ${f.count(count(h))}` })),
            ]}
          />
          <TextInput
            value={text}
            onChange={(e) => setText(e.currentTarget.value)}
            placeholder={t.filter}
            aria-label={t.filter}
            leftSection={<IconSearch size={14} aria-hidden />}
            w={220}
          />
        </Group>
      )}
      {shown.length === 0 ? (
        <Text c="dimmed">{t.noMatch}</Text>
      ) : (
        <Panel flush>
          <Table services={shown} />
        </Panel>
      )}
    </Stack>
  );
}
