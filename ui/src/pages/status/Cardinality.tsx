import { SimpleGrid, Stack, Text } from '@mantine/core';
import { Link } from 'react-router';
import { useInstant } from '../../api/series';
import { type Cardinality, useCardinality } from '../../api/status';
import { Figure } from '../../components/Figure';
import { Panel } from '../../components/Panel';
import { type Column, Rows } from '../../components/Rows';
import { Await } from '../../components/states';
import { useExplore } from '../../lib/explore';
import { useFormat } from '../../lib/format';
import { keyOf, quote } from '../../lib/labels';
import { useWords } from '../../lib/words';
import { statusWords } from './words';

type Stat = Cardinality['seriesCountByMetricName'][number];

export default function CardinalityPage() {
  const t = useWords(statusWords);
  const f = useFormat();
  const query = useCardinality(15);
  const explore = useExplore();
  return (
    <Await query={query} height={400}>
      {(c) => {
        const all = c.headStats.numSeries;
        const pair = (name: string) => {
          const at = name.indexOf('=');
          return `{${name.slice(0, at)}=${quote(name.slice(at + 1))}}`;
        };
        return (
          <Stack gap="sm">
            <div className="mw-figures">
              <Figure label={t.series} value={f.count(all)} />
              <Figure label={t.chunks} value={f.count(c.headStats.chunkCount)} />
              <Figure label={t.labelPairs} value={f.count(c.headStats.numLabelPairs)} />
            </div>
            <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="sm">
              <Panel title={t.byMetric} flush>
                <Top label={t.byMetric} list={c.seriesCountByMetricName} all={all} link={(n) => explore(n)} />
              </Panel>
              <Panel title={t.byPair} flush>
                <Top
                  label={t.byPair}
                  list={c.seriesCountByLabelValuePair}
                  all={all}
                  link={(n) => explore(`topk(20, count by (__name__) (${pair(n)}))`)}
                />
              </Panel>
              <Panel title={t.byTarget} hint={t.byTargetHint} flush>
                <Makers />
              </Panel>
              <Panel title={t.byLabel} flush>
                <Top label={t.byLabel} list={c.labelValueCountByLabelName} />
              </Panel>
            </SimpleGrid>
          </Stack>
        );
      }}
    </Await>
  );
}

/** breakable lets a long name break between its words rather than within one. */
function breakable(name: string) {
  // biome-ignore lint/suspicious/noArrayIndexKey: a part is what stands at its place.
  return name.split(/(?<=[_=:./])(?=\w)/).map((part, i) => [i > 0 && <wbr key={i} />, part]);
}

function Top({
  label,
  list,
  all,
  link,
}: {
  label: string;
  list: Stat[];
  all?: number;
  link?: (name: string) => string;
}) {
  const t = useWords(statusWords);
  const f = useFormat();
  const columns: Column<Stat>[] = [
    {
      id: 'name',
      title: t.name,
      width: 'minmax(0, 1fr)',
      cell: (s) =>
        link ? (
          <Link to={link(s.name)} className="mw-mono mw-link">
            {breakable(s.name)}
          </Link>
        ) : (
          <span className="mw-mono">{breakable(s.name)}</span>
        ),
    },
    { id: 'count', title: t.count, width: '5rem', align: 'right', cell: (s) => f.count(s.value) },
  ];
  if (all) {
    columns.push({ id: 'share', title: t.share, width: '4.5rem', align: 'right', cell: (s) => f.ratio(s.value / all) });
  }
  return <Rows label={label} columns={columns} rows={list} rowKey={(s) => s.name} />;
}

function Makers() {
  const t = useWords(statusWords);
  const f = useFormat();
  const samples = useInstant('topk(15, sum by (job, instance) (scrape_samples_post_metric_relabeling))');
  const added = useInstant('sum by (job, instance) (sum_over_time(scrape_series_added[1h]))');
  const news = new Map((added.data ?? []).map((s) => [keyOf(s.labels), s.value]));
  return (
    <Await query={samples} height={80}>
      {(list) => (
        <Rows
          label={t.byTarget}
          rows={[...list].sort((a, b) => b.value - a.value)}
          rowKey={(s) => keyOf(s.labels)}
          columns={[
            {
              id: 'target',
              title: t.target,
              width: 'minmax(0, 1fr)',
              cell: (s) => (
                <>
                  {s.labels.job}{' '}
                  <Text span size="xs" c="dimmed" className="mw-mono">
                    {s.labels.instance}
                  </Text>
                </>
              ),
            },
            { id: 'samples', title: t.samples, width: '5rem', align: 'right', cell: (s) => f.count(s.value) },
            {
              id: 'new',
              title: t.newSeries,
              width: '6rem',
              align: 'right',
              cell: (s) => {
                const n = news.get(keyOf(s.labels));
                return n === undefined ? '–' : f.count(n);
              },
            },
          ]}
        />
      )}
    </Await>
  );
}
