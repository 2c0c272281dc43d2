// Errors of the server in the reader's language. Their table is loaded only in Chinese: in English they are as they come.
import { useEffect, useReducer } from 'react';
import { useFormat } from './format';
import type { Say } from './said';

let known: Say | undefined;

/** useSayError says errors of the server. Until the table is there, they stay as they are. */
export function useSayError(): (text: string) => string {
  const f = useFormat();
  const [, again] = useReducer((n: number) => n + 1, 0);
  const needed = f.locale !== 'en' && !known;
  useEffect(() => {
    if (!needed) return;
    let here = true;
    void import('./saidErrors').then(
      ({ sayError }) => {
        known = sayError;
        if (here) again();
      },
      () => {}, // The server is gone, which is told elsewhere.
    );
    return () => {
      here = false;
    };
  }, [needed]);
  return (text) => (f.locale === 'en' ? text : (known?.(text, f) ?? text));
}
