import { Link } from 'react-router';
import type { LayerState, ServiceState } from '../../api/services';
import { type Column, Rows } from '../../components/Rows';
import { Sparkline } from '../../components/Sparkline';
import { StatusMark } from '../../components/StatusMark';
import { reasonsOf } from '../../lib/findings';
import { type Formats, useFormat } from '../../lib/format';
import { layers } from '../../lib/health';
import { useHref } from '../../lib/url';
import { useWords } from '../../lib/words';
import classes from './Table.module.css';
import { overviewWords } from './words';

export function Table({ services }: { services: ServiceState[] }) {
  const t = useWords(overviewWords);
  const f = useFormat();
  const href = useHref();
  const link = (s: ServiceState, tab?: string) =>
    href(`/services/${encodeURIComponent(s.service || '~')}`, tab ? { tab } : {});
  const columns: Column<ServiceState>[] = [
    {
      id: 'name',
      title: t.services,
      width: 'minmax(130px, 1.1fr)',
      cell: (s) => (
        <Link to={link(s)} className={classes.name}>
          <span className={classes.service}>{s.service || t.unnamed}</span>
          <span className={classes.reason} title={s.models.map((m) => `${m.model} ${m.model_version}`).join('\n')}>
            {modelsOf(s) || t.models(f.count(s.models.length))}
          </span>
        </Link>
      ),
    },
    ...layers.map(
      (layer): Column<ServiceState> => ({
        id: layer,
        title: t[layer],
        width: 'minmax(0, 1.35fr)',
        cell: (s) => <Cell state={s.layers.find((l) => l.layer === layer)} to={link(s, tabs[layer])} />,
      }),
    ),
    {
      id: 'availability',
      title: t.availability,
      width: '7rem',
      align: 'right',
      cell: (s) => (
        <span className={classes.availability}>
          {(['24h', '30d'] as const).map((span) => {
            const share = s.availability[span];
            return (
              <span key={span} title={share === null ? t.unknownAvailability : undefined}>
                <span className={classes.span}>{span === '24h' ? t.hours : t.days}</span>
                {share === null ? '–' : f.ratio(share)}
              </span>
            );
          })}
        </span>
      ),
    },
  ];
  return (
    <Rows
      label={t.layersTitle}
      columns={columns}
      rows={services}
      rowKey={(s) => s.service}
      estimate={51}
      mark={(s) => (s.health === 'down' ? 'bad' : undefined)}
    />
  );
}

/** Where on the service's page a layer is looked at. */
const tabs = { service: 'traffic', model: 'accuracy', data: 'data', resource: 'resources' } as const;

/** modelsOf names the models in use. */
function modelsOf(s: ServiceState): string {
  const names = [...new Set(s.models.filter((m) => !m.retired).map((m) => `${m.model} ${m.model_version}`.trim()))];
  return names.length > 2 ? '' : names.join(', ');
}

function Cell({ state, to }: { state: LayerState | undefined; to: string }) {
  const t = useWords(overviewWords);
  const f = useFormat();
  if (!state) return <StatusMark health="unknown" />;
  const reasons = reasonsOf(state, f);
  const values = state.sparkline?.points.map((p) => p.value ?? Number.NaN) ?? [];
  const name = { service: t.sparkService, model: t.sparkModel, data: t.sparkData, resource: t.sparkResource }[
    state.layer
  ];
  const figure = latest(state, values, t, f);
  const text = state.health === 'healthy' ? figure || reasons[0] || t.noReason : (reasons[0] ?? t.notYet);
  return (
    <Link
      to={to}
      className={classes.cell}
      data-health={state.health}
      title={[...reasons, ...(state.since ? [t.since(f.moment(Date.parse(state.since)))] : [])].join('\n')}
    >
      <span className={classes.top}>
        <StatusMark health={state.health} size={15} />
        <span className={classes.spark}>
          {values.some(Number.isFinite) && (
            <Sparkline
              values={values}
              width={64}
              height={16}
              label={`${name}: ${figure}`}
              max={state.layer === 'resource' ? 1 : undefined}
            />
          )}
        </span>
      </span>
      <span className={classes.reason}>{text}</span>
    </Link>
  );
}

/** latest says the newest figure of a layer. */
function latest(
  state: LayerState,
  values: number[],
  t: { drifted: (n: string) => string; p95: (v: string) => string; used: (v: string) => string },
  f: Formats,
): string {
  const value = values.findLast(Number.isFinite);
  if (value === undefined) return '';
  switch (state.layer) {
    case 'service':
      return f.rate(value);
    case 'model':
      return t.p95(f.seconds(value));
    case 'data':
      return t.drifted(f.count(value));
    case 'resource':
      return t.used(f.ratio(value));
  }
}
