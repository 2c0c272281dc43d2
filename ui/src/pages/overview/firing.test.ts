import { expect, test } from 'vitest';
import type { FiringAlert } from '../../api/firing';
import { together } from './together';

const alert = (fingerprint: string, instance: string, startsAt: string, summary = 'It is slow') =>
  ({
    fingerprint,
    startsAt,
    labels: { alertname: 'Slow', severity: 'critical', service: 'shop', instance },
    annotations: { summary },
  }) as unknown as FiringAlert;

test('alerts that read the same are one row, since the earliest began', () => {
  const rows = together([
    alert('1', 'a', '2026-01-01T00:02:00Z'),
    alert('2', 'a', '2026-01-01T00:03:00Z', 'It is very slow'),
    alert('3', 'b', '2026-01-01T00:01:00Z'),
  ]);
  expect(rows.map((r) => [r.alert.fingerprint, r.count])).toEqual([
    ['3', 2],
    ['2', 1],
  ]);
});
