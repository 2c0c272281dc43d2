// Alerts that read the same.
import type { FiringAlert } from '../../api/firing';

/** whereOf is what an alert is about. */
export const whereOf = ({ labels }: FiringAlert) => labels.service ?? labels.job ?? labels.instance ?? '';

/** textOf is what it says. */
export const textOf = ({ annotations }: FiringAlert) =>
  annotations.summary ?? annotations.description ?? annotations.message ?? '';

/** together makes one row of alerts that would read the same, at the place of the first. */
export function together(alerts: FiringAlert[]): { alert: FiringAlert; count: number }[] {
  const rows = new Map<string, { alert: FiringAlert; count: number }>();
  for (const alert of alerts) {
    const key = JSON.stringify([alert.labels.alertname, alert.labels.severity, whereOf(alert), textOf(alert)]);
    const row = rows.get(key);
    if (!row) rows.set(key, { alert, count: 1 });
    else {
      row.count++;
      // It has lasted since the earliest of them began.
      if (Date.parse(alert.startsAt) < Date.parse(row.alert.startsAt)) row.alert = alert;
    }
  }
  return [...rows.values()];
}
