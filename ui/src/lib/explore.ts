// Links to Explore.
import { useHref } from './url';

/** useExplore makes the address where a query is looked at, over the page's time range. */
export function useExplore(): (query: string, kind?: 'metrics' | 'logs') => string {
  const href = useHref();
  return (query, kind = 'metrics') => href('/explore', kind === 'logs' ? { logs: query } : { metrics: query });
}
