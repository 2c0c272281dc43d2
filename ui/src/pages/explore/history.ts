// Queries that were run in this browser.
import { recall, remember } from '../../lib/storage';

export interface Past {
  language: 'promql' | 'logql';
  query: string;
  /** In ms. */
  at: number;
}

const most = 100;

export function past(): Past[] {
  try {
    const list: unknown = JSON.parse(recall('explore.history') ?? '[]');
    return Array.isArray(list)
      ? list.filter((p): p is Past => typeof p?.query === 'string' && typeof p.at === 'number')
      : [];
  } catch {
    return [];
  }
}

/** noted puts a query first, once. */
export function noted(list: Past[], one: Past): Past[] {
  const query = one.query.trim();
  if (!query) return list;
  return [{ ...one, query }, ...list.filter((p) => p.query !== query || p.language !== one.language)].slice(0, most);
}

export function note(language: Past['language'], query: string): void {
  remember('explore.history', JSON.stringify(noted(past(), { language, query, at: Date.now() })));
}

export function forget(): void {
  remember('explore.history', '[]');
}
