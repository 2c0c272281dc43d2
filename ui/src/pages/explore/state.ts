// What Explore shows, in its URL: ?metrics=…&metrics=… are PromQL, &logs=… is LogQL.
import { useCallback, useMemo } from 'react';
import { useSearchParams } from 'react-router';
import { readTime, writeTime } from '../../lib/range';

export type View = 'metrics' | 'logs' | 'split';

export interface State {
  view: View;
  exprs: string[];
  /** Queries that are kept but not run. */
  hidden: number[];
  logs: string;
  show: 'graph' | 'table';
  as: 'lines' | 'wrapped' | 'json';
  /** A moment in ms whose minute of lines is shown. */
  at?: number;
  /** Whether new lines are followed. */
  live: boolean;
}

export function read(p: URLSearchParams): State {
  const exprs = p.getAll('metrics');
  const logs = p.get('logs') ?? '';
  const view = p.get('view');
  const filled = exprs.some((e) => e.trim());
  const as = p.get('as');
  return {
    view:
      view === 'metrics' || view === 'logs' || view === 'split'
        ? view
        : logs.trim()
          ? filled
            ? 'split'
            : 'logs'
          : 'metrics',
    exprs: exprs.length ? exprs : [''],
    hidden: (p.get('hide') ?? '').split(',').filter(Boolean).map(Number),
    logs,
    show: p.get('show') === 'table' ? 'table' : 'graph',
    as: as === 'wrapped' || as === 'json' ? as : 'lines',
    at: readTime(p.get('at')),
    live: p.get('live') === '1',
  };
}

export function write(old: URLSearchParams, s: State): URLSearchParams {
  const p = new URLSearchParams(old);
  for (const name of ['view', 'metrics', 'hide', 'logs', 'show', 'as', 'at', 'live']) p.delete(name);
  p.set('view', s.view);
  if (s.exprs.length > 1 || s.exprs[0]?.trim()) for (const e of s.exprs) p.append('metrics', e);
  if (s.hidden.length) p.set('hide', s.hidden.join(','));
  if (s.logs.trim()) p.set('logs', s.logs);
  if (s.show !== 'graph') p.set('show', s.show);
  if (s.as !== 'lines') p.set('as', s.as);
  if (s.at !== undefined) p.set('at', writeTime(s.at));
  if (s.live) p.set('live', '1');
  return p;
}

/** useAsked is the page's state and how to change it. Changes of queries can be undone with the browser's Back. */
export function useAsked(): [State, (change: Partial<State>, replace?: boolean) => void] {
  const [params, setParams] = useSearchParams();
  const state = useMemo(() => read(params), [params]);
  const change = useCallback(
    (c: Partial<State>, replace = false) => setParams((old) => write(old, { ...read(old), ...c }), { replace }),
    [setParams],
  );
  return [state, change];
}
