import type { Health } from '../../lib/health';

const bad = new Set(['critical', 'page', 'error', 'fatal', 'emergency', 'p1']);
const worrying = new Set(['warning', 'warn', 'p2', 'major', 'minor']);

/** healthOf is how a severity looks. What a team calls otherwise is worth a look all the same. */
export function healthOf(severity: string | undefined): Health {
  const s = severity?.toLowerCase() ?? '';
  return bad.has(s) ? 'down' : worrying.has(s) || !s ? 'degraded' : 'unknown';
}

/** exprOf finds the expression in the address that an alert of Prometheus links to. */
export function exprOf(generator: string | undefined): string {
  try {
    return new URL(generator ?? '').searchParams.get('g0.expr') ?? '';
  } catch {
    return '';
  }
}
