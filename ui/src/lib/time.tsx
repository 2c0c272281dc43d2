// The clock of the page: the range in the URL, resolved against a now that moves only when the page refreshes. All
// that a page shows is therefore of the same moment.
import { useQueryClient } from '@tanstack/react-query';
import { createContext, type ReactNode, use, useCallback, useEffect, useMemo, useState } from 'react';
import { useSearchParams } from 'react-router';
import { parseDuration, writeDuration } from './duration';
import { bounds, type Range, readRange, writeRange } from './range';

/** refreshes are the intervals offered, in ms; 0 is never. */
export const refreshes = [0, 5e3, 15e3, 30e3, 6e4, 3e5];
const defaultRefresh = 15e3;

interface Time {
  range: Range;
  /** Bounds in ms, fixed between refreshes. */
  from: number;
  to: number;
  now: number;
  setRange: (r: Range) => void;
  /** Refresh interval in ms; 0 is never. */
  refresh: number;
  setRefresh: (ms: number) => void;
  refreshNow: () => void;
}

const TimeContext = createContext<Time | null>(null);

/** timeParams are the URL's parameters that links keep. */
export const timeParams = ['range', 'from', 'to', 'refresh'];

export function TimeProvider({ children }: { children: ReactNode }) {
  const [params, setParams] = useSearchParams();
  const client = useQueryClient();
  const [now, setNow] = useState(() => Date.now());

  const refreshText = params.get('refresh');
  const refresh =
    refreshText === 'off' ? 0 : Math.max(1000, (refreshText && parseDuration(refreshText)) || defaultRefresh);

  useEffect(() => {
    if (refresh === 0) return;
    const tick = () => {
      if (!document.hidden) setNow(Date.now());
    };
    const timer = setInterval(tick, refresh);
    document.addEventListener('visibilitychange', tick);
    return () => {
      clearInterval(timer);
      document.removeEventListener('visibilitychange', tick);
    };
  }, [refresh]);

  const setRange = useCallback(
    (range: Range) => {
      setParams((old) => {
        const next = new URLSearchParams(old);
        writeRange(next, range);
        return next;
      });
      setNow(Date.now());
    },
    [setParams],
  );
  const setRefresh = useCallback(
    (ms: number) =>
      setParams(
        (old) => {
          const next = new URLSearchParams(old);
          next.delete('refresh');
          if (ms !== defaultRefresh) next.set('refresh', ms === 0 ? 'off' : writeDuration(ms));
          return next;
        },
        { replace: true },
      ),
    [setParams],
  );
  const refreshNow = useCallback(() => {
    setNow(Date.now());
    void client.invalidateQueries();
  }, [client]);

  const rangeKey = [params.get('range'), params.get('from'), params.get('to')].join();
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key stands for the parameters that matter.
  const range = useMemo(() => readRange(params), [rangeKey]);
  const value = useMemo(
    () => ({ range, ...bounds(range, now), now, setRange, refresh, setRefresh, refreshNow }),
    [range, now, setRange, refresh, setRefresh, refreshNow],
  );
  return <TimeContext value={value}>{children}</TimeContext>;
}

export function useTime(): Time {
  const time = use(TimeContext);
  if (!time) throw new Error('useTime is used outside of TimeProvider');
  return time;
}
