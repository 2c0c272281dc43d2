import type { UseQueryResult } from '@tanstack/react-query';
import { expect, test } from 'vitest';
import { keep } from './kept';

const good = (data: number, isPlaceholderData = false) =>
  ({ isSuccess: true, isError: false, data, dataUpdatedAt: data, isPlaceholderData }) as UseQueryResult<number>;
const bad = { isSuccess: false, isError: true, data: undefined, error: new Error('gone') } as UseQueryResult<number>;

test('what was read stays while reading it again fails', () => {
  const last: never[] = [];
  expect(keep([good(1), bad], last)[1]?.data).toBeUndefined();
  const [first, second] = keep([bad, good(2)], last);
  expect(first).toMatchObject({ data: 1, dataUpdatedAt: 1, isError: true });
  expect(second?.data).toBe(2);
  const pending = { isSuccess: false, isError: false, data: undefined } as UseQueryResult<number>;
  expect(keep([pending], last)[0]?.data).toBe(1);
  // A placeholder is no answer to what is asked.
  keep([good(9, true)], last);
  expect(keep([bad], last)[0]?.data).toBe(1);
});
