import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { methodWords } from './methods';

test('every drift method of the server has a name', () => {
  const source = readFileSync(new URL('../../../../ai/drift/method.go', import.meta.url), 'utf8');
  const ids = [...source.matchAll(/^\tMethod\w+ += "(\w+)"$/gm)].map((m) => m[1]);
  expect(ids.length).toBeGreaterThan(10);
  expect(Object.keys(methodWords.en).sort()).toEqual(ids.sort());
});
