// What the server says of services, models and their data: why a layer is as it is, what was found, and why something
// could not be judged.
import { kindWords } from './kinds';
import { changeName, methodWords } from './methods';
import { type Phrase, sayer } from './said';

/** Checks by their English titles, where the page does not say what was found but what was looked at. */
const looked: Partial<Record<keyof typeof kindWords.en, string>> = {
  accuracy: '准确率对比基线',
  accuracy_estimate: '估计准确率对比基线',
  accuracy_limit: '准确率对比限值',
  client_error_ratio: '被拒请求对比基线',
  error_limit: '错误率对比限值',
  error_ratio: '错误率对比基线',
  f1: 'F1 对比基线',
  f1_estimate: '估计 F1 对比基线',
  first_token: '首个词元耗时对比基线',
  latency_limit: '延迟对比限值',
  latency_p50: '延迟中位数对比基线',
  latency_p95: '延迟 95 分位对比基线',
  no_success: '未得到应答的请求',
  regression_error: '数值误差对比基线',
  roc_auc: 'ROC 曲线下面积对比基线',
  token_rate: '生成速度对比基线',
  version: '新旧版本对比',
  feature_count: '特征数量',
  not_integer: '整数特征的小数',
  wrong_dimension: '向量长度',
  gpu_missing: '缺失的 GPU',
  host_down: '主机',
};

const byTitle = (en: Record<string, string>, zh: Record<string, string>, first: Record<string, string> = {}) =>
  Object.fromEntries(Object.entries(en).map(([id, title]) => [title, first[id] ?? zh[id] ?? title]));

const checks = byTitle(kindWords.en, kindWords['zh-CN'], looked);

// The server's titles of methods are shorter than the page's.
const methods = {
  ...byTitle(methodWords.en, methodWords['zh-CN']),
  Hellinger: 'Hellinger 距离',
  'Jensen-Shannon': 'Jensen-Shannon 距离',
  Wasserstein: 'Wasserstein 距离',
};

const outcomes = { better: '更好', same: '相同', worse: '更差', unknown: '尚无法判断' };

const types = { missing: '缺失', number: '数值', string: '文本', bool: '是/否', vector: '向量' };

const classes = {
  overload: '过载',
  timeout: '超时',
  'server error': '服务端错误',
  'another error': '其他错误',
};

const counted = {
  requests: '个请求',
  'requests with the figure': '个有此数值的请求',
  'requests with output tokens': '个有输出词元的请求',
  'answered requests with a duration': '个有耗时的已应答请求',
  'labelled answers': '个有标签的输出',
  'labelled numbers': '个有标签的数值',
  'answers with probabilities': '个有概率的输出',
};

const figures = {
  'Share of failures': '失败占比',
  'Mean latency': '平均延迟',
  'p95 latency': '延迟 95 分位',
  '95th percentile of latency': '延迟 95 分位',
  'p50 latency': '延迟中位数',
  'p95 time to first token': '首个词元耗时 95 分位',
  'Generation speed': '生成速度',
  'The area under the ROC curve': 'ROC 曲线下面积',
  Accuracy: '准确率',
  F1: 'F1 ',
  'The CPU': 'CPU ',
  'The disk': '磁盘',
  'GPU memory': 'GPU 显存',
  Memory: '内存',
};

const guards = {
  'values past the limit on features': '个超出特征数上限的值',
  'probabilities past the limit on classes': '个超出类别数上限的概率',
  'vectors past the limit on dimensions': '个超出维数上限的向量',
  'records that came after their window was closed': '条窗口关闭后才到的记录',
  'records from the future': '条来自未来的记录',
  'values of a feature that a record had twice': '个同一记录中重复的特征值',
};

// Letters of kinds: c check, m method, o outcome, k type of values, e class of failures, u what is counted, f figure, w
// what a guard left out, v what changed; the others are those of said.ts.
export const phrases: Phrase[] = [
  // A sentence to which a second one was put.
  ['{r} One window so far: the next one must confirm it.', '{r}（目前只有一个窗口如此，须由下一个窗口确认。）'],

  // States of services and layers.
  ['No inference has been received yet.', '尚未收到任何推理。'],
  [
    'No inference for {d} (more than {n} windows of {d2}), the last at {t}.',
    '已有 {d} 没有推理（超过 {n} 个 {d2}的窗口），最近一次在 {t}。',
  ],
  ['No check of this layer gave an answer.', '此层没有任何检查得出结论。'],
  [
    '{x} is silent since {t} and does not count: it was replaced or withdrawn.',
    '{x} 自 {t} 起没有推理，不再计入：它已被替换或撤下。',
  ],
  ['No model of the service is known yet.', '尚不知道该服务的任何模型。'],
  ['No model of {x} is known yet.', '尚不知道 {x} 的任何模型。'],
  ['The service does not answer: {r}.', '服务没有应答：{r}。'],
  ['The host does not answer.', '主机没有应答。'],
  ['No process of {x} runs.', '{x} 没有进程在运行。'],
  ['{x} does not answer: {r}.', '{x} 没有应答：{r}。'],
  ['no reason given', '未说明原因'],
  ['It answers when it is looked at from outside.', '从外部查看时它有应答。'],
  ['{n} more do not answer, of {n2}.', '共 {n2} 个，另有 {n} 个没有应答。'],
  ['Whether the service answers is not known so far.', '尚不知道服务是否有应答。'],
  ['Whether the service answers is not known since {t}.', '自 {t} 起不知道服务是否有应答。'],
  ['Whether {x} answers is not known so far.', '尚不知道 {x} 是否有应答。'],
  ['Whether {x} answers is not known since {t}.', '自 {t} 起不知道 {x} 是否有应答。'],
  ['{c}: no reading for more than {d}.', '{c}：超过 {d}没有读数。'],
  ['{c}: the reading is no number.', '{c}：读数不是数字。'],
  [
    "No reading of CPU, memory, disk or GPU: collect host metrics, or set the service's hosts.",
    '没有 CPU、内存、磁盘或 GPU 的读数：请采集主机指标，或设置该服务的主机。',
  ],
  ['{f} is {g} used.', '{f}已使用 {g}。'],
  ['{n} of the expected GPUs do not answer.', '应有的 GPU 中有 {n} 个没有应答。'],
  ['The first window is still open.', '第一个窗口尚未结束。'],

  // What is not certain.
  ['not judged ({c}): {r}.', '未评判：{c}（{r}）。', 'Not judged: {c} ({r}).'],
  [
    'There is no baseline: make one with POST /ai/v1/baselines.',
    '没有基线：请在“基线”中创建。',
    'There is no baseline: make one under “Baselines”.',
  ],
  ['There is no baseline yet.', '尚无基线。'],
  ['Baseline {n} is compared with from the next window on.', '从下一个窗口起与基线 {n} 比较。'],
  [
    'The baseline is the automatic one of the first {n} records ({x}), and nobody has confirmed it: POST /ai/v1/baselines/{x2}/confirm.',
    '基线是由最初 {n} 条记录自动创建的，尚无人确认：请在“基线”中确认。',
    'The baseline is the automatic one of the first {n} records, and nobody has confirmed it: confirm it under “Baselines”.',
  ],
  [
    'The automatic baseline is being made: {n} of {n2} records so far (or at least {n3} within {d}).',
    '正在自动创建基线：目前有 {n} 条记录，需要 {n2} 条（或 {d}内至少 {n3} 条）。',
  ],
  ['{n} records in {d} are too few to compare with the baseline.', '{d}内只有 {n} 条记录，太少，无法与基线比较。'],
  ['Guards left out {n} values or records of the last window.', '最近窗口有 {n} 个值或记录因限制而未计入。'],
  [
    '{n} labels came later than {d} after their inferences and were not counted.',
    '有 {n} 个标签晚于其推理 {d}以上才到，未计入。',
  ],
  [
    '{n} inferences were left out, the last at {t}: the limit of services is reached (inferences.limits.{x}).',
    '有 {n} 次推理未计入，最近一次在 {t}：服务数已达上限（inferences.limits.{x}）。',
  ],
  [
    '{n} inferences were left out, the last at {t}: the limit of versions is reached (inferences.limits.{x}).',
    '有 {n} 次推理未计入，最近一次在 {t}：版本数已达上限（inferences.limits.{x}）。',
  ],
  [
    '{n} inferences were left out, the last at {t}: the limit of versions of {x2} is reached (inferences.limits.{x}).',
    '有 {n} 次推理未计入，最近一次在 {t}：{x2} 的版本数已达上限（inferences.limits.{x}）。',
  ],
  ['{c}: {r}.', '{c}：{r}。'],

  // Why a figure or a check has no answer.
  ['in the baseline {r}', '基线中：{r}'],
  ['there is no baseline yet', '尚无基线'],
  ['{n} {u} in the window, at least {n2} are needed', '窗口中有 {n} {u}，至少需要 {n2} 个'],
  ['{n} {u} in the baseline, at least {n2} are needed', '基线中有 {n} {u}，至少需要 {n2} 个'],
  ['{n} and {n2} requests, at least {n3} of each are needed', '分别有 {n} 和 {n2} 个请求，各至少需要 {n3} 个'],
  ['the classes are not those of the baseline', '类别与基线的不同'],
  ['all probabilities are 0, 0.5 or 1: they cannot be tested', '所有概率都是 0、0.5 或 1，无法检验'],
  ["the baseline's figure is 0", '基线的数值为 0'],
  ['the baseline has no error', '基线没有误差'],
  ['the figure is not finite', '数值不是有限数'],
  ['no request', '没有请求'],
  ['no labelled answer', '没有有标签的输出'],
  ['no labelled answer had probabilities', '有标签的输出都没有概率'],
  ['no labelled answer had a probability for its prediction', '有标签的输出都没有其预测的概率'],
  ['no labelled answer whose label is not 0', '没有标签不为 0 的输出'],
  ['no labelled record is of the class', '没有该类别的有标签记录'],
  ['no record was said to be of the class', '没有记录被判为该类别'],
  ['no record is or was said to be of the class', '没有记录属于或被判为该类别'],
  ['no record is expected in the class it is about', '预计没有该类别的记录'],
  ['the area under the curve is for two classes with probabilities', '曲线下面积只适用于有概率的两个类别'],
  ['the labelled answers with probabilities are all of one class', '有标签且有概率的输出都属于同一类别'],
  ['the labels do not vary', '标签没有变化'],
  ['the span has no length', '时间长度为零'],
  ['no request reported tokens', '没有请求报告词元数'],
  ['no request reported the time to its first token', '没有请求报告首个词元耗时'],
  ['no request reported output tokens and a duration', '没有请求报告输出词元数和耗时'],
  ['no successful request reported a duration', '没有成功的请求报告耗时'],
  ['no answered request with a duration', '没有带耗时的已应答请求'],
  ['without labels only accuracy is estimated for more than two classes', '两个以上类别时，没有标签只能估计准确率'],
  ['no predictions', '没有预测'],
  [
    'the model answers with numbers: without labels nothing is known of its error',
    '模型输出数值：没有标签就无从知道其误差',
  ],
  ['no prediction came with the probability of its class', '没有预测带有其类别的概率'],
  ['a version has no record', '有一个版本没有记录'],
  ['a version has fewer than two answered requests with a duration', '有一个版本带耗时的已应答请求不足两个'],
  ['a version has no answered request with the figure', '有一个版本没有带此数值的已应答请求'],
  ['no figure is known of both versions', '没有两个版本都已知的数值'],
  ['too few requests to tell the versions apart: {l}', '请求太少，无法区分两个版本：{l}'],
  [
    "too few labelled records of both outcomes to calibrate on: the model's own probabilities are used",
    '使用模型自身的概率：两类结果的标签太少，无法校准',
  ],
  [
    "the outcomes are all but separable: the model's own probabilities are used",
    '使用模型自身的概率：它们几乎能完全区分结果',
  ],
  [
    "calibrating would not lower the calibration error: the model's own probabilities are used",
    '使用模型自身的概率：校准不会使其更接近标签',
  ],
  ["calibrated by isotonic regression on the baseline's labels", '概率已用基线的标签通过保序回归校准'],
  [
    "the baseline has no labels: the model's own probabilities are taken as right",
    '基线没有标签：以模型自身的概率为准',
  ],

  // Why drift is unknown.
  ['there is no baseline', '没有基线'],
  ['the feature is not in the baseline', '基线中没有该特征'],
  ['the baseline has no values of the feature', '基线中没有该特征的值'],
  ['the feature is not in this window', '此窗口中没有该特征'],
  ['the feature is of kind {k}, the baseline of kind {k2}', '该特征的类型为{k}，基线中为{k2}'],
  ['the window was counted for another baseline', '此窗口是按另一条基线统计的'],
  ['the baseline has {n} values, {n2} are needed', '基线有 {n} 个值，需要 {n2} 个'],
  ['the window has {n} values, {n2} are needed', '窗口有 {n} 个值，需要 {n2} 个'],
  ["the baseline's values do not vary", '基线的值没有变化'],
  ['there are too many different categories to compare, or only one', '不同的类别太多，无法比较，或只有一个类别'],
  ['{n} and {n2} rows, {n3} are needed of each', '分别有 {n} 和 {n2} 行，各需要 {n3} 行'],
  ['no feature varies', '没有特征有变化'],
  [
    'the baseline has no single records to compare with: none of its span were kept when it was made (inferences.raw), or it was imported from an export without them',
    '基线没有可比较的单条记录：创建时其时间范围内没有保留单次推理（inferences.raw），或导入的文件中没有',
  ],
  [
    'the baseline has no single records to compare with: it was imported from an export without them, or may keep no feature (inferences.raw.exclude, inferences.raw.hash)',
    '基线没有可比较的单条记录：导入的文件中没有，或不允许保留任何特征（inferences.raw.exclude、inferences.raw.hash）',
  ],
  ['all classifiers together may not take more of a processor', '所有分类器合计占用的处理器时间已达上限'],
  ['there are {n} values in the baseline and {n2} in the current data', '基线中有 {n} 个值，当前数据中有 {n2} 个'],
  ['the values were {k} and are {k2} now', '值的类型原为{k}，现为{k2}'],
  ['this rule judges no vectors', '此规则不评判向量'],
  ['its figure is not defined for these values', '对这些值，其数值没有定义'],
  ['it was not judged', '未评判'],
  [
    'nannyml: the reference has less than 10 values: it cannot be split in 10 parts',
    '参照的值不足 10 个，无法分成 10 份',
    'the reference has fewer than 10 values: it cannot be split in 10 parts',
  ],
  ['{x}: one sample has numbers and the other categories', '一个样本是数值，另一个是类别'],
  ['{x}: a sample is empty: {n} values against {n2}', '有一个样本为空：{n} 个值对 {n2} 个值'],

  // What a comparison is not about.
  [
    'Of the baseline, {n} inferences are kept of about {n2}, for days beyond inferences.raw.day_size are sampled. Failed ones are all kept, so they weigh more here than they did.',
    '基线约有 {n2} 次推理，其中保留了 {n} 次：超出 inferences.raw.day_size 的日子只保留样本。失败的推理全部保留，因此在这里占的比重比实际更大。',
  ],
  [
    'Of the current data, {n} inferences are kept of about {n2}, for days beyond inferences.raw.day_size are sampled. Failed ones are all kept, so they weigh more here than they did.',
    '当前数据约有 {n2} 次推理，其中保留了 {n} 次：超出 inferences.raw.day_size 的日子只保留样本。失败的推理全部保留，因此在这里占的比重比实际更大。',
  ],
  [
    'Of the baseline, {n} of the {n2} inferences that are kept were taken evenly.',
    '基线保留了 {n2} 次推理，从中均匀取了 {n} 次。',
  ],
  [
    'Of the current data, {n} of the {n2} inferences that are kept were taken evenly.',
    '当前数据保留了 {n2} 次推理，从中均匀取了 {n} 次。',
  ],

  // Findings about requests and answers.
  ['no 95% interval at this size', '样本太小，没有 95% 区间'],
  ['at most {s} with 95% confidence', '以 95% 的置信度不超过 {s}'],
  ['at most {g} with 95% confidence', '以 95% 的置信度不超过 {g}'],
  ['at least {s} with 95% confidence', '以 95% 的置信度不低于 {s}'],
  ['at least {g} with 95% confidence', '以 95% 的置信度不低于 {g}'],
  ['95% interval {s} to {s2}', '95% 区间 {s} 至 {s2}'],
  ['95% interval {g} to {g2}', '95% 区间 {g} 至 {g2}'],
  [
    '{n} of {n2} requests were answered ({n3} failed, {n4} were refused as wrong).',
    '{n2} 个请求中有 {n} 个得到应答（{n3} 个失败，{n4} 个因有误被拒）。',
  ],
  ['{g} of {n} requests failed ({n2} in all; {r}).', '{n} 个请求中有 {g} 失败（共 {n2} 个；{r}）。'],
  [
    '{g} of {n} requests failed ({n2} in all, {n3} by {e}; {r}).',
    '{n} 个请求中有 {g} 失败（共 {n2} 个，其中 {n3} 个为{e}；{r}）。',
  ],
  [
    '{g} of requests failed, {g2} in the baseline (difference {g3}, {r}; {n} requests).',
    '{g} 的请求失败，基线中为 {g2}（相差 {g3}，{r}；{n} 个请求）。',
  ],
  [
    '{g} of requests were refused, {g2} in the baseline (difference {g3}, {r}; {n} requests).',
    '{g} 的请求被拒，基线中为 {g2}（相差 {g3}，{r}；{n} 个请求）。',
  ],
  ['p95 latency is {s} ({r}; {n} requests).', '延迟 95 分位为 {s}（{r}；{n} 个请求）。'],
  [
    "{f} is {s}, {g} times the baseline's {s2} ({r}; {n} requests).",
    '{f}为 {s}，是基线 {s2} 的 {g} 倍（{r}；{n} 个请求）。',
  ],
  [
    "The median request gets {g} tokens/s, {g2} times the baseline's {g3} ({r}; {n} requests).",
    '请求的中位生成速度为每秒 {g} 个词元，是基线 {g3} 的 {g2} 倍（{r}；{n} 个请求）。',
  ],
  [
    '{f} is {g}, {g2} in the baseline (fall {g3}, {r}; {n} labelled answers).',
    '{f}为 {g}，基线中为 {g2}（下降 {g3}，{r}；{n} 个有标签的输出）。',
  ],
  [
    '{f} is estimated at {g}, {g2} in the baseline (fall {g3}, {r}; {n} answers; {r2}).',
    '{f}估计为 {g}，基线中为 {g2}（下降 {g3}，{r}；{n} 个输出；{r2}）。',
  ],
  ['Accuracy is {g} ({r}; {n} labelled answers).', '准确率为 {g}（{r}；{n} 个有标签的输出）。'],
  [
    'Probabilities are off by {g} on average, {g2} in the baseline, and chance alone would show {g3} ({n} labelled answers).',
    '概率平均偏差 {g}，基线中为 {g2}，仅因偶然也会有 {g3}（{n} 个有标签的输出）。',
  ],
  [
    "The mean absolute error is {g}, {g2} times the baseline's {g3} ({r}; {n} labelled answers).",
    '平均绝对误差为 {g}，是基线 {g3} 的 {g2} 倍（{r}；{n} 个有标签的输出）。',
  ],

  // Versions side by side.
  ['Version {x} is {o} beside {x2}. {l}', '版本 {x} 与 {x2} 相比：{o}。{l}'],
  ['{f}: {o}: {s} beside {s2}, newer over older {g} ({r}).', '{f}：{o}：{s}，旧版本 {s2}，新旧之比 {g}（{r}）。'],
  [
    '{f}: {o}: {g} tokens/s beside {g2} tokens/s, newer over older {g3} ({r}).',
    '{f}：{o}：每秒 {g} 个词元，旧版本 {g2} 个，新旧之比 {g3}（{r}）。',
  ],
  ['{f}: {o}: {g} beside {g2}, newer minus older {g3} ({r}).', '{f}：{o}：{g}，旧版本 {g2}，新旧之差 {g3}（{r}）。'],
  ['{f}: unknown: {r}.', '{f}：尚无法判断：{r}。'],
  [
    'The versions are under unlike load ({g} and {g2} requests/s): latency may differ for that alone.',
    '两个版本的负载不同（每秒 {g} 和 {g2} 个请求）：仅此就可能使延迟不同。',
  ],

  // Findings about data.
  [
    '{x} drifted: {v} {g} → {g2} ({m}: score {g3}, threshold {g4}, p-value {g5} of at most {g6}, {n} rows against {n2})',
    '{x} 已漂移：{v} {g} → {g2}（{m}：效应量 {g3}，阈值 {g4}，p 值 {g5}，须不大于 {g6}，{n} 行对 {n2} 行）',
  ],
  ['{n} of {n2} records lack {x}, which the schema requires', '{n2} 条记录中有 {n} 条缺少 {x}，而模式要求有它'],
  ['{g} of {n} records lack {x}, in the baseline {g2}', '{n} 条记录中有 {g} 缺少 {x}，基线中为 {g2}'],
  [
    "at least {n} of {n2} values of {x} are outside the schema's range, {r}",
    '{x} 的 {n2} 个值中至少有 {n} 个超出模式的范围，{r}',
  ],
  ["{g} of {n} values of {x} are outside the baseline's range, {r}", '{x} 的 {n} 个值中有 {g} 超出基线的范围，{r}'],
  ['at most {g} (now {g2} to {g3})', '即不超过 {g}（现为 {g2} 至 {g3}）'],
  ['at least {g} (now {g2} to {g3})', '即不低于 {g}（现为 {g2} 至 {g3}）'],
  ['{g} to {g2} (now {g3} to {g4})', '即 {g} 至 {g2}（现为 {g3} 至 {g4}）'],
  [
    "{n} of {n2} values of {x} are not among the schema's categories: {x2}",
    '{x} 的 {n2} 个值中有 {n} 个不在模式的类别之中：{x2}',
  ],
  [
    '{g} of {n} values of {x} are of categories that the baseline hardly had ({g2} expected): {x2}',
    '{x} 的 {n} 个值中有 {g} 属于基线几乎没有的类别（预计 {g2}）：{x2}',
  ],
  ['{n} of {n2} values of {x} {r}, against the schema', '{x} 的 {n2} 个值中有 {n} 个{r}，与模式不符'],
  ['{g} of {n} values of {x} {r}, in the baseline {g2}', '{x} 的 {n} 个值中有 {g} {r}，基线中为 {g2}'],
  ['are not of type {k} but {k2}', '的类型不是{k}而是{k2}'],
  ['are infinite or beyond 1e140', '为无穷或超过 1e140'],
  ['have a fraction', '带小数'],
  ['do not have {n} elements', '的长度不是 {n}'],
  ['all {n} values of {x} are {x2}, in the baseline at most {g}', '{x} 的 {n} 个值全部是 {x2}，基线中至多 {g}'],
  [
    '{g} of {n} records repeat the features of a recent one, in the baseline {g2}',
    '{n} 条记录中有 {g} 重复了近期某条记录的特征，基线中为 {g2}',
  ],
  ['{n} features are new: {x}', '新增 {n} 个特征：{x}'],
  ['{n} of {n2} features are gone: {x}', '{n2} 个特征中有 {n} 个消失：{x}'],
  ['records have {n} features, in the baseline {n2}', '记录有 {n} 个特征，基线中为 {n2} 个'],
  ['left out: {w}', '未计入：{w}'],

  // Notes of baselines.
  ['{n} rows sampled evenly from {n2}', '从 {n2} 行中均匀抽取 {n} 行'],
  [
    '{n} records of that time are not in it, for they were counted in the bins of another baseline',
    '那段时间有 {n} 条记录按另一条基线的分箱统计，未包含在内',
  ],
];

/** sayOfModels says a sentence about services, models and their data; one that it does not know stays. */
export const sayOfModels = sayer(
  phrases,
  { c: checks, m: methods, o: outcomes, k: types, e: classes, u: counted, f: figures, w: guards },
  { v: { pattern: '.+?', write: (text, f) => changeName(text, f.locale) } },
);
