import { ActionIcon, Alert, Button, MultiSelect, NumberInput, Select, Text } from '@mantine/core';
import { IconPlus, IconX } from '@tabler/icons-react';
import { useMemo, useState } from 'react';
import { ofMetric, useLabelNames, useLabelValues, useMetadata } from '../../api/promql';
import { useFormat } from '../../lib/format';
import { useWords } from '../../lib/words';
import { aggregations, build, empty, type Filter, functions, type Op, parse, type Spec, suggest } from './builder';
import classes from './Explore.module.css';
import { exploreWords } from './words';

const offered = 200;

/** Builder makes PromQL by clicks. What it shows is always what the editor says. */
export function Builder({
  expr,
  onBuild,
  onRun,
}: {
  expr: string;
  onBuild: (e: string) => void;
  onRun: (e: string) => void;
}) {
  const t = useWords(exploreWords);
  const f = useFormat();
  // Filters that are not complete yet are not in the query.
  const [open, setOpen] = useState<Filter[]>([]);
  const spec = useMemo(() => parse(expr), [expr]);
  const metadata = useMetadata();
  const metrics = useLabelValues('__name__', '');
  const metric = spec?.metric ?? '';
  const names = useLabelNames(ofMetric(metric), metric !== '');
  const [typed, setTyped] = useState('');
  const found = useMemo(() => {
    const words = typed === metric ? [] : typed.toLowerCase().split(/\s+/).filter(Boolean);
    return (metrics.data ?? []).filter((m) => words.every((w) => m.toLowerCase().includes(w)));
  }, [metrics.data, typed, metric]);
  if (!spec) {
    return (
      <Alert color="gray" variant="light" mt={6} p="xs">
        {t.notBuildable}{' '}
        <Button variant="default" size="compact-xs" onClick={() => onBuild('')}>
          {t.beginAnew}
        </Button>
      </Alert>
    );
  }
  const set = (change: Partial<Spec>) => onBuild(build({ ...empty, ...spec, ...change }));
  const meaning = (name: string) =>
    metadata.data?.[name]?.[0] ?? metadata.data?.[name.replace(/_(bucket|sum|count)$/, '')]?.[0];
  const labels = (names.data ?? []).filter((n) => n !== '__name__');
  const filters = [...spec.filters, ...open];
  const setFilter = (i: number, change: Partial<Filter> | null) => {
    const next = filters
      .map((x, j) => (j === i && change ? { ...x, ...change } : x))
      .filter((_, j) => change || j !== i);
    setOpen(next.filter((x) => !x.name || !x.value));
    set({ filters: next.filter((x) => x.name && x.value) });
  };
  return (
    <div className={classes.builder} style={{ marginTop: 6 }}>
      <Select
        label={t.metric}
        placeholder={t.chooseMetric}
        w={280}
        searchable
        value={metric || null}
        searchValue={typed}
        onSearchChange={setTyped}
        filter={({ options }) => options}
        data={[...new Set([...(metric ? [metric] : []), ...found.slice(0, offered)])]}
        nothingFoundMessage={t.moreMetrics('0')}
        maxDropdownHeight={320}
        comboboxProps={{ width: 420, position: 'bottom-start' }}
        renderOption={({ option }) => (
          <div>
            <div className="mw-mono">{option.value}</div>
            <Text size="xs" c="dimmed" lineClamp={1}>
              {meaning(option.value)?.type} {meaning(option.value)?.help}
            </Text>
          </div>
        )}
        onChange={(name) => {
          if (!name) return;
          const keep = name === metric ? {} : { filters: [], ...suggest(name, meaning(name)?.type) };
          setOpen([]);
          const made = build({ ...empty, ...spec, ...keep, metric: name });
          onBuild(made);
          onRun(made);
        }}
        description={metric && meaning(metric)?.help}
        inputWrapperOrder={['label', 'input', 'description']}
      />
      {found.length > offered && typed === '' && (
        <Text size="xs" c="dimmed">
          {t.moreMetrics(f.count(found.length - offered))}
        </Text>
      )}
      {filters.map((x, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: filters have no other identity than their place.
        <FilterRow key={i} filter={x} labels={labels} metric={metric} onChange={(c) => setFilter(i, c)} />
      ))}
      <Button
        variant="default"
        leftSection={<IconPlus size={13} aria-hidden />}
        disabled={!metric}
        onClick={() => setOpen([...open, { name: '', op: '=', value: '' }])}
      >
        {t.addFilter}
      </Button>
      <Select
        label={t.fn}
        w={150}
        value={spec.fn || 'none'}
        data={[{ value: 'none', label: t.none }, ...functions]}
        onChange={(v) => set({ fn: v === 'none' || !v ? '' : v })}
        disabled={!metric}
      />
      {spec.fn && (
        <Select
          label={t.window}
          w={80}
          value={spec.window}
          data={[...new Set(['1m', '2m', '5m', '10m', '30m', '1h', '6h', '1d', spec.window])]}
          onChange={(v) => v && set({ window: v })}
        />
      )}
      <Select
        label={t.agg}
        w={110}
        value={spec.agg || 'none'}
        data={[{ value: 'none', label: t.none }, ...aggregations]}
        onChange={(v) => set(v === 'none' || !v ? { agg: '', by: [] } : { agg: v })}
        disabled={!metric}
      />
      {spec.agg && (
        <MultiSelect
          label={t.by}
          size="xs"
          miw={140}
          searchable
          value={spec.by}
          data={[...new Set([...labels, ...spec.by])]}
          onChange={(by) => set({ by })}
        />
      )}
      {spec.quantile !== undefined && (
        <NumberInput
          label={t.quantile}
          size="xs"
          w={90}
          min={0}
          max={1}
          step={0.05}
          value={spec.quantile}
          onChange={(v) => typeof v === 'number' && set({ quantile: v })}
        />
      )}
      <Button variant="default" disabled={!metric} onClick={() => onRun(expr)}>
        {t.run}
      </Button>
    </div>
  );
}

interface FilterProps {
  filter: Filter;
  labels: string[];
  metric: string;
  onChange: (change: Partial<Filter> | null) => void;
}

function FilterRow({ filter, labels, metric, onChange }: FilterProps) {
  const t = useWords(exploreWords);
  const values = useLabelValues(filter.name, ofMetric(metric));
  const data = [...new Set([...(values.data ?? []), ...(filter.value ? [filter.value] : [])])].slice(0, 1000);
  return (
    <div className={classes.filter}>
      <Select
        aria-label={t.label}
        placeholder={t.label}
        w={130}
        searchable
        value={filter.name || null}
        data={[...new Set([...labels, ...(filter.name ? [filter.name] : [])])]}
        onChange={(name) => name && onChange({ name, value: '' })}
      />
      <Select
        aria-label={t.operator}
        w={60}
        value={filter.op}
        data={['=', '!=', '=~', '!~']}
        onChange={(op) => op && onChange({ op: op as Op })}
      />
      <Select
        aria-label={t.labelValue}
        placeholder={t.labelValue}
        w={170}
        searchable
        limit={200}
        value={filter.value || null}
        data={data}
        disabled={!filter.name}
        onChange={(value) => value && onChange({ value })}
      />
      <ActionIcon aria-label={t.removeFilter} title={t.removeFilter} onClick={() => onChange(null)}>
        <IconX size={14} />
      </ActionIcon>
    </div>
  );
}
