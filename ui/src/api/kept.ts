// Answers that stay shown while they cannot be read again.
import type { UseQueryResult } from '@tanstack/react-query';
import { useRef } from 'react';

interface Kept<T> {
  data: T;
  at: number;
}

/**
 * keep gives each answer that has no data the last one to the same question. Ranges that move with the clock are a new
 * query at each step, so that waiting for it, or its failure, would otherwise wipe what is drawn.
 */
export function keep<T>(answers: UseQueryResult<T>[], last: (Kept<T> | undefined)[]): UseQueryResult<T>[] {
  return answers.map((a, i) => {
    if (a.isSuccess && !a.isPlaceholderData) last[i] = { data: a.data, at: a.dataUpdatedAt };
    const old = last[i];
    if (a.data !== undefined || !old) return a;
    return { ...a, data: old.data, dataUpdatedAt: old.at } as UseQueryResult<T>;
  });
}

/** useKept keeps answers for as long as the question is the same; it must name the range, but not the moment. */
export function useKept<T>(question: string, answers: UseQueryResult<T>[]): UseQueryResult<T>[] {
  const last = useRef<{ question: string; answers: (Kept<T> | undefined)[] }>({ question, answers: [] });
  if (last.current.question !== question) last.current = { question, answers: [] };
  return keep(answers, last.current.answers);
}

/** useKeptOne is useKept of one answer. */
export function useKeptOne<T>(question: string, answer: UseQueryResult<T>): UseQueryResult<T> {
  return useKept(question, [answer])[0] as UseQueryResult<T>;
}
