// What two rules say of the same features, side by side.
import type { DriftComparison, DriftResult } from '../../api/drift';

/** A Pair is what our rule and another tool's say of one feature. */
export interface Pair {
  feature: string;
  ours: DriftResult;
  theirs: DriftResult;
  /** Undefined where one of them could not judge. */
  agree: boolean | undefined;
}

/** pairsOf sets the verdicts side by side, those first on which the rules disagree: whether it drifted. */
export function pairsOf(answer: DriftComparison): Pair[] {
  const ours = new Map(answer.results.filter((r) => r.preset === 'modelwatch').map((r) => [r.feature, r]));
  const rank = (p: Pair) => (p.agree === false ? 0 : p.ours.verdict === 'drift' ? 1 : p.agree ? 2 : 3);
  return answer.results
    .filter((r) => r.preset !== 'modelwatch')
    .flatMap((theirs) => {
      const own = ours.get(theirs.feature);
      if (!own) return [];
      const judged = own.verdict !== 'unknown' && theirs.verdict !== 'unknown';
      const agree = judged ? (own.verdict === 'drift') === (theirs.verdict === 'drift') : undefined;
      return [{ feature: theirs.feature, ours: own, theirs, agree }];
    })
    .sort((a, b) => rank(a) - rank(b) || a.feature.localeCompare(b.feature));
}

/** rowsThatFit is how many rows of each side the server says that it could take, where it had too many. */
export function rowsThatFit(message: string): number | undefined {
  const found = /take a sample by rows=(\d+)/.exec(message);
  return found ? Number(found[1]) : undefined;
}
