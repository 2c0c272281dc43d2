// Findings and reasons in the reader's language. The server writes English sentences with the figures.
import type { Finding, LayerState } from '../api/services';
import type { Formats } from './format';
import { type Kind, kindWords } from './kinds';
import { sayOfModels } from './saidOfModels';

/** inUnit writes a finding's score or threshold in its unit. */
export function inUnit(value: number, unit: string | undefined, f: Formats): string {
  switch (unit) {
    case 'ratio':
      return f.ratio(value);
    case 'seconds':
      return f.seconds(value);
    case 'requests/s':
      return f.rate(value);
    default:
      return f.number(value);
  }
}

/** tell says a finding; where its sentence is not known, from its parts. */
export function tell(finding: Finding, f: Formats): string {
  const said = sayOfModels(finding.message, f);
  if (f.locale === 'en' || said !== finding.message) return said;
  const name = kindWords['zh-CN'][finding.kind as Kind] ?? finding.kind;
  const of = finding.feature ? `${finding.feature}：` : '';
  const sign = finding.direction === 'below' ? '<' : '>';
  return `${of}${name}，${inUnit(finding.score, finding.unit, f)} ${sign} ${inUnit(finding.threshold, finding.unit, f)}`;
}

/** reasonsOf says why a layer is as it is. */
export function reasonsOf(layer: LayerState, f: Formats): string[] {
  return layer.reasons.map((reason) => {
    const said = sayOfModels(reason, f);
    if (f.locale === 'en' || said !== reason) return said;
    const finding = layer.findings.find((x) => reason.endsWith(x.message));
    return finding ? tell(finding, f) : reason;
  });
}
