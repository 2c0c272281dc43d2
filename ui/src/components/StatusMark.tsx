import { type Health, healthIcon } from '../lib/health';
import { useWords } from '../lib/words';
import classes from './StatusMark.module.css';
import { stateWords } from './words';

/** StatusMark is a state's icon and word. Another word may be given where a page has a better one, such as "up". */
export function StatusMark({ health, word, size = 16 }: { health: Health; word?: string; size?: number }) {
  const t = useWords(stateWords);
  const Icon = healthIcon[health];
  return (
    <span className={classes.mark} data-health={health}>
      <Icon size={size} stroke={2} aria-hidden />
      {word ?? t[health]}
    </span>
  );
}
