import { expect, test } from 'vitest';
import type { DriftComparison, DriftResult } from '../../api/drift';
import { pairsOf, rowsThatFit } from './otherRules';

const one = (feature: string, preset: string, verdict: DriftResult['verdict']) =>
  ({ feature, preset, verdict }) as DriftResult;

test('verdicts stand side by side, and what the rules disagree on comes first', () => {
  const of: [string, DriftResult['verdict'], DriftResult['verdict']][] = [
    ['same', 'none', 'none'],
    ['unknown', 'unknown', 'drift'],
    ['ours', 'drift', 'none'],
    ['possible', 'drift', 'possible'],
    ['both', 'drift', 'drift'],
    ['nearly', 'none', 'possible'],
  ];
  const results = of.flatMap(([name, a, b]) => [one(name, 'modelwatch', a), one(name, 'whylogs', b)]);
  const pairs = pairsOf({ results } as DriftComparison);
  expect(pairs.map((p) => [p.feature, p.agree])).toEqual([
    ['ours', false],
    ['possible', false],
    ['both', true],
    ['nearly', true],
    ['same', true],
    ['unknown', undefined],
  ]);
  expect(pairs.every((p) => p.ours.preset === 'modelwatch' && p.theirs.preset === 'whylogs')).toBe(true);
});

test('how many rows fit is read from the refusal', () => {
  expect(rowsThatFit('the baseline has 9 rows: too many: take a shorter span, or take a sample by rows=1234')).toBe(
    1234,
  );
  expect(rowsThatFit('no')).toBeUndefined();
});
