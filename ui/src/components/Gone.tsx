import { Group, Text } from '@mantine/core';
import { IconPlugConnectedX } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useCallback, useSyncExternalStore } from 'react';
import { isGone } from '../api/client';
import { useWords } from '../lib/words';
import classes from './Shell.module.css';
import { stateWords } from './words';

/** Gone says once for the whole page that the server does not answer; what is shown stays, and the page goes on asking. */
export function Gone() {
  const t = useWords(stateWords);
  const cache = useQueryClient().getQueryCache();
  const gone = useSyncExternalStore(
    useCallback((changed) => cache.subscribe(changed), [cache]),
    () => cache.findAll({ type: 'active' }).some((q) => isGone(q.state.error)),
  );
  if (!gone) return null;
  return (
    <Group gap="xs" wrap="nowrap" role="status" className={classes.gone}>
      <IconPlugConnectedX size={16} aria-hidden className="mw-fixed" />
      <Text size="sm">
        {t.noAnswer} {t.goneShown}
      </Text>
    </Group>
  );
}
