import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { changeName, methodWords } from './methods';

test('every drift method of the server has a name', () => {
  const source = readFileSync(new URL('../../../ai/drift/method.go', import.meta.url), 'utf8');
  const ids = [...source.matchAll(/^\tMethod\w+ += "(\w+)"$/gm)].map((m) => m[1]);
  expect(ids.length).toBeGreaterThan(10);
  expect(Object.keys(methodWords.en).sort()).toEqual(ids.sort());
});

test('what moved most is said in Chinese', () => {
  const read = (name: string) => readFileSync(new URL(`../../../ai/drift/${name}`, import.meta.url), 'utf8');
  const said = [...`${read('change.go')}${read('classifier.go')}`.matchAll(/Change\{(?:Of: )?"([^"]+)"/g)].map(
    (m) => m[1] ?? '',
  );
  expect(said.length).toBeGreaterThan(7);
  for (const of of [...said.filter((x) => x !== 'share of '), 'mean of the norm', 'share of other categories']) {
    expect(changeName(of, 'zh-CN').replace('ROC', ''), of).not.toMatch(/[a-z]/i);
    expect(changeName(of, 'en')).toBe(of);
  }
  expect(changeName('share of "visa card"', 'zh-CN')).toBe('"visa card" 的占比');
});
