// Queries over the page's range that are read again as the clock moves. Unlike those of series.ts they can be cancelled:
// leaving the page ends them, while a refresh never ends one that is still under way.
import { type UseQueryResult, useQuery } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { useTime } from '../lib/time';

export interface Span {
  /** In ms. */
  from: number;
  to: number;
}

export interface LiveOptions {
  enabled?: boolean;
  /** A span of its own instead of the page's. */
  span?: Span;
}

/** useLive reads over the page's range. The key must tell apart what is asked, without the time. */
export function useLive<T>(
  key: readonly unknown[],
  read: (span: Span, signal: AbortSignal) => Promise<T>,
  options: LiveOptions = {},
): UseQueryResult<T> {
  const { range, from, to, now } = useTime();
  const span = options.span ?? { from, to };
  const moves = 'last' in range && !options.span;
  const latest = useRef({ span, read });
  latest.current = { span, read };
  const enabled = options.enabled !== false;
  const window = options.span ?? range;
  const query = useQuery<T, Error, T, readonly unknown[]>({
    queryKey: ['live', ...key, window],
    queryFn: ({ signal }) => latest.current.read(latest.current.span, signal),
    // The last answer stays shown while another range is read, but never the answer to another question.
    placeholderData: keepPlaceholder<T>(key) as never,
    enabled,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 5000,
  });
  const { refetch } = query;
  const seen = useRef(now);
  useEffect(() => {
    if (now === seen.current) return;
    seen.current = now;
    if (moves && enabled) void refetch({ cancelRefetch: false });
  }, [now, moves, enabled, refetch]);
  return query;
}

function keepPlaceholder<T>(key: readonly unknown[]) {
  return (old: T | undefined, from: { queryKey: readonly unknown[] } | undefined) =>
    from && JSON.stringify(from.queryKey.slice(1, -1)) === JSON.stringify(key) ? old : undefined;
}
