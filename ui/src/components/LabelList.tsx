import type { Labels } from '../lib/labels';
import classes from './LabelList.module.css';

/** LabelList shows a label set. */
export function LabelList({ labels, without = [] }: { labels: Labels; without?: string[] }) {
  const entries = Object.entries(labels).filter(([k]) => !without.includes(k));
  return (
    <span className={classes.list}>
      {entries.map(([k, v]) => (
        <span key={k} className={classes.label}>
          <span className={classes.key}>{k}</span>={v}
        </span>
      ))}
    </span>
  );
}
