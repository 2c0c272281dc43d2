// Findings in the reader's language. The server writes English sentences with the figures; in other languages the same
// is said from the finding's parts.
import type { Finding, LayerState } from '../api/services';
import type { Formats } from './format';
import { words } from './words';

const kindsEn = {
  accuracy: 'Accuracy against the baseline',
  accuracy_estimate: 'Estimated accuracy against the baseline',
  accuracy_limit: 'Accuracy against its limit',
  calibration: 'Calibration of probabilities',
  client_error_ratio: 'Refused requests against the baseline',
  error_limit: 'Error ratio against its limit',
  error_ratio: 'Error ratio against the baseline',
  f1: 'F1 against the baseline',
  f1_estimate: 'Estimated F1 against the baseline',
  first_token: 'Time to first token against the baseline',
  latency_limit: 'Latency against its limit',
  latency_p50: 'Median latency against the baseline',
  latency_p95: '95th percentile of latency against the baseline',
  no_success: 'Unanswered requests',
  regression_error: 'Numeric error against the baseline',
  roc_auc: 'Area under the ROC curve against the baseline',
  token_rate: 'Generation speed against the baseline',
  version: 'Newer version against the older',
  drift: 'Drift',
  constant_input: 'Constant input',
  duplicate_input: 'Repeated input',
  feature_count: 'Number of features',
  guard_dropped: 'Left out of profiles',
  missing_ratio: 'Missing values',
  new_features: 'New features',
  not_finite: 'Infinite values',
  not_integer: 'Fractions in an integer',
  out_of_range: 'Out of range',
  type_mismatch: 'Type changes',
  unseen_category: 'Unseen categories',
  vanished_features: 'Vanished features',
  wrong_dimension: 'Vector length',
  cpu: 'CPU',
  disk: 'Disk',
  gpu_memory: 'GPU memory',
  gpu_missing: 'GPUs that are missing',
  host_down: 'Host',
  memory: 'Memory',
};

export type Kind = keyof typeof kindsEn;

export const kindWords = words(kindsEn, {
  accuracy: '准确率低于基线',
  accuracy_estimate: '估计准确率低于基线',
  accuracy_limit: '准确率超出限值',
  calibration: '概率校准',
  client_error_ratio: '被拒请求多于基线',
  error_limit: '错误率超出限值',
  error_ratio: '错误率高于基线',
  f1: 'F1 低于基线',
  f1_estimate: '估计 F1 低于基线',
  first_token: '首个词元耗时高于基线',
  latency_limit: '延迟超出限值',
  latency_p50: '延迟中位数高于基线',
  latency_p95: '延迟 95 分位高于基线',
  no_success: '请求未得到应答',
  regression_error: '数值误差高于基线',
  roc_auc: 'ROC 曲线下面积低于基线',
  token_rate: '生成速度低于基线',
  version: '新版本不如旧版本',
  drift: '漂移',
  constant_input: '输入恒定不变',
  duplicate_input: '输入重复',
  feature_count: '特征数量异常',
  guard_dropped: '未计入画像',
  missing_ratio: '缺失值',
  new_features: '新增特征',
  not_finite: '无穷值',
  not_integer: '整数特征出现小数',
  out_of_range: '超出范围',
  type_mismatch: '类型变化',
  unseen_category: '未见过的类别',
  vanished_features: '特征消失',
  wrong_dimension: '向量长度错误',
  cpu: 'CPU',
  disk: '磁盘',
  gpu_memory: 'GPU 显存',
  gpu_missing: 'GPU 缺失',
  host_down: '主机无响应',
  memory: '内存',
});

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

/** tell says a finding. */
export function tell(finding: Finding, f: Formats): string {
  if (f.locale === 'en') return finding.message;
  const name = kindWords['zh-CN'][finding.kind as Kind] ?? finding.kind;
  const of = finding.feature ? `${finding.feature}：` : '';
  const sign = finding.direction === 'below' ? '<' : '>';
  return `${of}${name}，${inUnit(finding.score, finding.unit, f)} ${sign} ${inUnit(finding.threshold, finding.unit, f)}`;
}

/** reasonsOf says why a layer is as it is. */
export function reasonsOf(layer: LayerState, f: Formats): string[] {
  if (f.locale === 'en') return layer.reasons;
  const found = layer.findings.filter((x) => x.severity !== 'info').map((x) => tell(x, f));
  return found.length ? found : layer.reasons;
}
