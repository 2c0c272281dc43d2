import { Box, Group, Text } from '@mantine/core';
import { IconBellRinging, IconCircleCheck, IconHelpCircle } from '@tabler/icons-react';
import { Link } from 'react-router';
import { type FiringAlert, useFiring } from '../../api/firing';
import { ErrorBox } from '../../components/states';
import { useAnnotations } from '../../lib/builtinAlerts';
import { useFormat } from '../../lib/format';
import { useHref } from '../../lib/url';
import { useWords } from '../../lib/words';
import classes from './Firing.module.css';
import { textOf, together, whereOf } from './together';
import { overviewWords } from './words';

const shown = 4;

/** Firing says first what is wrong: the alerts that fire and are not silenced. */
export function Firing() {
  const t = useWords(overviewWords);
  const f = useFormat();
  const href = useHref();
  const { data, error, refetch } = useFiring();
  if (!data) return error ? <ErrorBox error={error} retry={() => void refetch()} /> : <Box h={34} />;
  // What could not be read again is not known: it is not shown as good.
  if (data.length === 0 && error) {
    return (
      <Group gap={6} c="dimmed" h={34} role="status">
        <IconHelpCircle size={16} aria-hidden />
        <Text size="sm">{t.firingUnknown}</Text>
      </Group>
    );
  }
  if (data.length === 0) {
    return (
      <Group gap={6} c="var(--mw-healthy)" h={34} role="status">
        <IconCircleCheck size={16} aria-hidden />
        <Text size="sm">{t.nothingFires}</Text>
      </Group>
    );
  }
  const rows = together(data);
  return (
    <section className={classes.box} aria-label={t.firingTitle}>
      <h2 className={classes.head}>
        <IconBellRinging size={16} aria-hidden />
        {t.firing(f.count(data.length))}
      </h2>
      <ul className={classes.list}>
        {rows.slice(0, shown).map(({ alert, count }) => (
          <Row key={alert.fingerprint} alert={alert} count={count} />
        ))}
      </ul>
      {rows.length > shown && (
        <Link to={href('/alerts')} className="mw-link">
          {t.more(f.count(data.length))}
        </Link>
      )}
    </section>
  );
}

function Row({ alert, count }: { alert: FiringAlert; count: number }) {
  const t = useWords(overviewWords);
  const f = useFormat();
  const href = useHref();
  const { labels } = alert;
  const where = whereOf(alert);
  const annotations = useAnnotations()(alert);
  return (
    <li className={classes.row}>
      <Link to={href('/alerts')} className={classes.name}>
        {labels.alertname}
      </Link>
      {labels.severity && (
        <span className={classes.severity} data-severity={labels.severity}>
          {labels.severity}
        </span>
      )}
      <span className={classes.text}>
        {where && <b>{where} </b>}
        {textOf({ ...alert, annotations })}
        {count > 1 && <span className={classes.times}> × {f.count(count)}</span>}
      </span>
      <span className={classes.since} title={f.full(Date.parse(alert.startsAt))}>
        {f.ago(Date.parse(alert.startsAt))}
        <span className="mw-hidden">{t.since(f.full(Date.parse(alert.startsAt)))}</span>
      </span>
    </li>
  );
}
