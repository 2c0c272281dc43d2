import { SimpleGrid, Text } from '@mantine/core';
import type { LayerState } from '../../api/services';
import { Sparkline } from '../../components/Sparkline';
import { StatusMark } from '../../components/StatusMark';
import { reasonsOf } from '../../lib/findings';
import { useFormat } from '../../lib/format';
import { useWords } from '../../lib/words';
import classes from './Layers.module.css';
import { serviceWords } from './words';

const shown = 2;

/** Layers shows how the four layers are, and why. */
export function Layers({ layers }: { layers: LayerState[] }) {
  const t = useWords(serviceWords);
  const f = useFormat();
  return (
    <SimpleGrid cols={{ base: 1, xs: 2, md: 4 }} spacing="xs">
      {layers.map((l) => {
        const reasons = reasonsOf(l, f);
        const values = l.sparkline?.points.map((p) => p.value ?? Number.NaN) ?? [];
        return (
          <section key={l.layer} className={classes.layer} data-health={l.health} aria-label={t[l.layer]}>
            <div className={classes.head}>
              <Text size="xs" c="dimmed" fw={600}>
                {t[l.layer]}
              </Text>
              <StatusMark health={l.health} size={15} />
            </div>
            {values.some(Number.isFinite) && (
              <span className={classes.spark}>
                <Sparkline
                  values={values}
                  width={240}
                  height={22}
                  label={t[l.layer]}
                  max={l.layer === 'resource' ? 1 : undefined}
                />
              </span>
            )}
            {reasons.length === 0 && (
              <Text size="xs" c="dimmed">
                {t.fine}
              </Text>
            )}
            {reasons.slice(0, shown).map((r) => (
              <Text key={r} size="xs" lineClamp={2} title={r}>
                {r}
              </Text>
            ))}
            {reasons.length > shown && (
              <Text size="xs" c="dimmed" title={reasons.slice(shown).join('\n')}>
                {t.more(f.count(reasons.length - shown))}
              </Text>
            )}
            {l.since && l.health !== 'healthy' && (
              <Text size="xs" c="dimmed">
                {t.since(f.moment(Date.parse(l.since)))}
              </Text>
            )}
          </section>
        );
      })}
    </SimpleGrid>
  );
}
