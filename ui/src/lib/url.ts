// The page's state in its URL.
import { useCallback } from 'react';
import { useSearchParams } from 'react-router';
import { timeParams } from './time';

/**
 * useParam is like useState, kept in the URL. The default is not written. What a field or a checkbox shows is changed at
 * once (now); otherwise the page goes on showing what it has until the new is ready.
 */
export function useParam(name: string, initial = '', now = false): [string, (value: string) => void] {
  const [params, setParams] = useSearchParams();
  const set = useCallback(
    (value: string) =>
      setParams(
        (old) => {
          const next = new URLSearchParams(old);
          if (value === initial) next.delete(name);
          else next.set(name, value);
          return next;
        },
        { replace: true, flushSync: now },
      ),
    [setParams, name, initial, now],
  );
  return [params.get(name) ?? initial, set];
}

/** useHref makes addresses of other pages that keep the time range. */
export function useHref(): (path: string, query?: Record<string, string>) => string {
  const [params] = useSearchParams();
  return (path, query = {}) => {
    const next = new URLSearchParams();
    for (const name of timeParams) {
      const value = params.get(name);
      if (value !== null) next.set(name, value);
    }
    for (const [name, value] of Object.entries(query)) next.set(name, value);
    const text = next.toString();
    return text ? `${path}?${text}` : path;
  };
}
