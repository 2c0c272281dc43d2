// Resources that are what they are now, read again at each refresh of the page.
import { type QueryKey, useQuery } from '@tanstack/react-query';
import { useTime } from '../lib/time';

export interface PollOptions {
  enabled?: boolean;
  /** At most this often, in ms, where reading costs the server something. */
  atMost?: number;
}

/** usePoll keeps the last answer shown while the next is fetched, and when it fails. */
export function usePoll<T>(queryKey: QueryKey, read: (signal: AbortSignal) => Promise<T>, options: PollOptions = {}) {
  const { refresh } = useTime();
  return useQuery({
    queryKey,
    queryFn: ({ signal }) => read(signal),
    refetchInterval: refresh === 0 ? false : Math.max(refresh, options.atMost ?? 0),
    enabled: options.enabled,
  });
}
