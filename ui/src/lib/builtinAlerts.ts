// What alerts of built-in rules say, in the reader's language. The server writes annotations in English, with the ids of
// kinds of findings, and sends them so by mail; the page says the same in words from the alert's name, its labels and the
// figures in its English text. Rules of users stay as they are written.
import { kindWords } from './kinds';
import type { Labels } from './labels';
import { type Locale, useLocale } from './words';

/**
 * A text is what the rule says in English, then the same in Chinese. {{name}} is a label, {{value}} the value of the
 * alert, {{q1}} the first figure that the rule asks for; {{name|-}} is a label or, where there is none, a hyphen. What stands between [[ and ]] is left out where a label or
 * figure in it is missing. The third is the English of the page, where the name of a kind does not fit into the first. A
 * test holds the English against the rules.
 */
type Text = [en: string, zh: string, page?: string];

export interface AlertText {
  summary: Text;
  description: Text;
}

const finding: AlertText = {
  summary: [
    '{{kind}} of {{model}} {{model_version}} ({{service}})[[, feature {{feature_name}}]]',
    '{{model}} {{model_version}}（{{service}}）：{{kind}}[[，特征 {{feature_name}}]]',
    '{{model}} {{model_version}} ({{service}}): {{kind}}[[, feature {{feature_name}}]]',
  ],
  description: [
    '{{kind}} is {{value}}[[ values]][[, the threshold is {{q1}}]]. GET /ai/v1/models/{{model}}/versions/{{model_version|-}} says it in a sentence.',
    '{{kind}}为 {{value}}[[，阈值为 {{q1}}]]。GET /ai/v1/models/{{model}}/versions/{{model_version|-}} 用一句话说明。',
    '{{kind}}: {{value}}[[ values]][[, the threshold is {{q1}}]]. GET /ai/v1/models/{{model}}/versions/{{model_version|-}} says it in a sentence.',
  ],
};

export const builtinAlerts: Record<string, AlertText> = {
  AIServiceNotAnswering: {
    summary: [
      '{{service}} answers nothing: {{model}} {{model_version}}',
      '{{service}} 完全没有应答：{{model}} {{model_version}}',
    ],
    description: [
      '{{value}} of the requests to {{model}} {{model_version}} got no answer in the last window.',
      '在最近一个窗口中，对 {{model}} {{model_version}} 的请求有 {{value}} 没有得到应答。',
    ],
  },
  AIServiceErrors: {
    summary: [
      '{{service}} fails more: {{model}} {{model_version}}',
      '{{service}} 失败增多：{{model}} {{model_version}}',
    ],
    description: [
      '[[{{q1}} of the requests to {{model}} {{model_version}} fail now.]] That is more than its baseline or its limit allows. GET /ai/v1/models/{{model}}/versions/{{model_version|-}} says which errors.',
      '[[对 {{model}} {{model_version}} 的请求现在有 {{q1}} 失败。]]这超出其基线或限值所允许的程度。GET /ai/v1/models/{{model}}/versions/{{model_version|-}} 说明是哪些错误。',
    ],
  },
  AIServiceSlow: {
    summary: [
      '{{service}} is slower than its limit: {{model}} {{model_version}}',
      '{{service}} 慢于其限值：{{model}} {{model_version}}',
    ],
    description: [
      'The 95th percentile of latency of {{model}} {{model_version}} is {{value}} in the last window.',
      '在最近一个窗口中，{{model}} {{model_version}} 延迟的第 95 百分位数为 {{value}}。',
    ],
  },
  AITrafficStopped: {
    summary: ['No inference of {{service}} any more', '{{service}} 不再有推理'],
    description: [
      '{{service}} had [[{{q1}}]] inferences a second in the last hour and has none now. Its state is unknown: look at its callers, at what sends inferences here, and at the service itself.',
      '{{service}} 在过去一小时每秒有[[ {{q1}} ]]次推理，现在一次也没有。其状态未知：请查看它的调用方、向这里发送推理的程序，以及服务本身。',
    ],
  },
  AIServiceDown: {
    summary: ['{{service}} is down', '{{service}} 已停止服务'],
    description: [
      'None of its targets has answered a scrape for a minute. GET /ai/v1/services says how each fails; look whether the process runs.',
      '一分钟以来它的任何目标都没有应答抓取。GET /ai/v1/services 说明各目标如何失败；请查看进程是否在运行。',
    ],
  },
  AIServiceFinding: finding,
  AIModelSlower: {
    summary: [
      '{{model}} {{model_version}} of {{service}} takes {{value}} times as long as in its baseline',
      '{{service}} 的 {{model}} {{model_version}} 耗时为其基线的 {{value}} 倍',
    ],
    description: [
      '[[The mean latency of its slowest endpoint is {{q1}} now.]] Look at load, input size and resources.',
      '[[其最慢端点的平均延迟现在为 {{q1}}。]]请查看负载、输入大小和资源。',
    ],
  },
  AIModelLessAccurate: {
    summary: [
      '{{model}} {{model_version}} of {{service}} is right less often, by its labels ({{kind}})',
      '按标签，{{service}} 的 {{model}} {{model_version}} 正确率下降（{{kind}}）',
    ],
    description: [
      '{{kind}} is off by {{value}}[[; accuracy is {{q1}}]][[, measured on {{q2}} labelled inferences]].',
      '{{kind}}相差 {{value}}[[；准确率为 {{q1}}]][[，由 {{q2}} 次有标签的推理测得]]。',
    ],
  },
  AIModelLessAccurateByEstimate: {
    summary: [
      '{{model}} {{model_version}} of {{service}} is probably right less often',
      '{{service}} 的 {{model}} {{model_version}} 的正确率可能下降',
    ],
    description: [
      "[[Without labels its accuracy is estimated at {{q1}}.]] Its confidence fell against the baseline's: its inputs have changed. Send labels to know.",
      '[[没有标签，其准确率估计为 {{q1}}。]]其置信度低于基线：输入已发生变化。发送标签即可确知。',
    ],
  },
  AIModelVersionWorse: {
    summary: [
      '{{model}} {{model_version}} of {{service}} does worse than the version before it',
      '{{service}} 的 {{model}} {{model_version}} 比前一版本差',
    ],
    description: [
      'It is worse by {{value}} times what matters, in the same time. GET /ai/v1/models/{{model}} compares them. Consider going back.',
      '在同一时间内，它差了值得注意的程度的 {{value}} 倍。GET /ai/v1/models/{{model}} 比较两者。请考虑退回前一版本。',
    ],
  },
  AIModelFinding: finding,
  AIDataDriftWidespread: {
    summary: [
      '{{value}} features of {{model}} {{model_version}} ({{service}}) drifted',
      '{{model}} {{model_version}}（{{service}}）有 {{value}} 个特征发生漂移',
    ],
    description: [
      'Half of what {{model}} {{model_version}} gets and gives no longer looks like its baseline. Most of all:[[{{q1}}]]. Look at what changed upstream, or make a new baseline.',
      '{{model}} {{model_version}} 的输入和输出有一半不再像其基线。[[最明显的是：{{q1}}。]]请查看上游有何变化，或建立新的基线。',
    ],
  },
  AIDataDrift: {
    summary: [
      '{{feature_name}} of {{model}} {{model_version}} ({{service}}) drifted',
      '{{model}} {{model_version}}（{{service}}）的 {{feature_name}} 发生漂移',
    ],
    description: [
      'Its effect size is {{value}}[[ (threshold {{q1}})]][[; its mean is {{q2}}]][[, in the baseline {{q3}}]].',
      '其效应量为 {{value}}[[（阈值 {{q1}}）]][[；其均值为 {{q2}}]][[，基线中为 {{q3}}]]。',
    ],
  },
  AIDataSchemaChanged: {
    summary: [
      'The input of {{model}} {{model_version}} ({{service}}) changed its form: {{kind}}[[ of {{feature_name}}]]',
      '{{model}} {{model_version}}（{{service}}）的输入结构改变：{{kind}}[[，{{feature_name}}]]',
    ],
    description: [
      '{{kind}} is {{value}}[[; records have {{q1}} features now]][[, in the baseline {{q2}}]]. Latency, cost and accuracy may follow. Look at the step that makes the features.',
      '{{kind}}为 {{value}}[[；记录现在有 {{q1}} 个特征]][[，基线中为 {{q2}} 个]]。延迟、成本和准确率可能随之变化。请查看生成特征的步骤。',
    ],
  },
  AIDataMissing: {
    summary: [
      '{{feature_name}} of {{model}} {{model_version}} ({{service}}) is missing in {{value}} of records',
      '{{model}} {{model_version}}（{{service}}）的 {{feature_name}} 在 {{value}} 的记录中缺失',
    ],
    description: [
      'The baseline has it more often. Look at the step that fills it.',
      '基线中它出现得更多。请查看填充它的步骤。',
    ],
  },
  AIDataFinding: finding,
  AIProcessDown: {
    summary: ['No process of {{service}} runs', '{{service}} 没有进程在运行'],
    description: [
      'None of the processes by which {{service}} is watched is there. Start it, or look at why it ended: its log, and node_vmstat_oom_kill.',
      '用于监视 {{service}} 的进程一个也不在。请启动它，或查看它为何结束：它的日志，以及 node_vmstat_oom_kill。',
    ],
  },
  AIProcessUnknown: {
    summary: ['Whether {{service}} runs is not known', '不知道 {{service}} 是否在运行'],
    description: [
      'Its processes cannot be looked up. modelwatch_process_errors_total says why: mostly it may not read them, or the pid file is wrong.',
      '无法查找其进程。modelwatch_process_errors_total 说明原因：多半是无权读取，或 pid 文件有误。',
    ],
  },
  AIGPUMissing: {
    summary: [
      'A GPU is gone at {{instance}}: {{value}}[[ of {{q1}}]] answer',
      '{{instance}} 少了 GPU：[[应有 {{q1}} 个，]]只有 {{value}} 个应答',
    ],
    description: [
      'Fewer GPUs answer than there should be. Look at nvidia-smi and the kernel log for XID errors.',
      '应答的 GPU 少于应有的数量。请查看 nvidia-smi 和内核日志中的 XID 错误。',
    ],
  },
  AIHostMemoryFull: {
    summary: ['{{value}} of the memory of {{instance}} is in use', '{{instance}} 的内存已使用 {{value}}'],
    description: [
      'The next process to ask for some may be killed, and model servers ask for most. Stop something, or add memory.',
      '下一个申请内存的进程可能被终止，而模型服务申请得最多。请停掉一些进程，或增加内存。',
    ],
  },
  AIHostCPUBusy: {
    summary: ['The CPUs of {{instance}} are {{value}} busy', '{{instance}} 的 CPU 繁忙程度为 {{value}}'],
    description: [
      'Requests wait for CPU time. Add cores, or take load away.',
      '请求在等待 CPU 时间。请增加核心，或减轻负载。',
    ],
  },
  AILogErrors: {
    summary: ['{{service}} logs errors: {{value}} lines a minute', '{{service}} 正在记录错误：每分钟 {{value}} 行'],
    description: [
      '{{service}} logged {{value}} error lines in the last minute, more than three times what is usual for it. Search for {job="{{service}}"} |~ "(?i)error|fatal|panic|critical" (or by the label that names the service) to read them; the patterns of the same selector sum them up.',
      '{{service}} 在最近一分钟记录了 {{value}} 行错误，超过其平常的三倍。搜索 {job="{{service}}"} |~ "(?i)error|fatal|panic|critical"（或按表示该服务的标签）即可阅读；同一选择器的模式会加以归纳。',
    ],
  },
  AILogNewErrors: {
    summary: ['{{service}} logs an error that is new: {{template}}', '{{service}} 记录了新的错误：{{template}}'],
    description: [
      '{{service}} logged {{value}} error lines like this in the last 15 minutes, and none before: {{template}} (<_> stands for what differs). What was changed shortly before?',
      '{{service}} 在最近 15 分钟记录了 {{value}} 行这样的错误，此前没有：{{template}}（<_> 代表不同之处）。不久之前改动了什么？',
    ],
  },
  ModelwatchLogStoreFailing: {
    summary: ['Log lines cannot be kept', '日志行无法保存'],
    description: [
      "Lines are refused to their senders, and files wait. If lines are kept here, look at the free disk space; if at a Loki elsewhere, whether it answers. modelwatch's log has the errors of component=logs.",
      '日志行被拒绝并告知发送方，文件则等待。如果日志保存在本机，请查看磁盘剩余空间；如果保存在别处的 Loki，请查看它是否应答。modelwatch 的日志中有 component=logs 的错误。',
    ],
  },
  ModelwatchLogFileSetAside: {
    summary: ['A file of log lines is damaged', '一个日志数据文件已损坏'],
    description: [
      '{{value}} damaged files were renamed to *.corrupt-* in the directory logs of the data directory. Their lines are missing from answers; the rest goes on. Repair them with DuckDB or take them away.',
      '{{value}} 个损坏的文件在数据目录的 logs 目录中被改名为 *.corrupt-*。查询结果中缺少其中的行；其余照常。请用 DuckDB 修复，或将其移走。',
    ],
  },
  ModelwatchIngestionStalled: {
    summary: ['modelwatch stores too little of what arrives', 'modelwatch 只存下了到达数据的一小部分'],
    description: [
      "{{value}} batches of samples a second fail to be stored, more than succeed. Look at modelwatch's log for storage errors and at the free disk space.",
      '每秒有 {{value}} 批样本存储失败，多于成功的批数。请查看 modelwatch 日志中的存储错误，以及磁盘剩余空间。',
    ],
  },
  ModelwatchOwnMetricsMissing: {
    summary: ['modelwatch stores no metrics of its own', 'modelwatch 没有存下自身的指标'],
    description: [
      "Alerts on metrics cannot fire now. Look at modelwatch's log for errors of component=scrape and component=tsdb, at the disk, and at the clock of the machine.",
      '基于指标的告警现在无法触发。请查看 modelwatch 日志中 component=scrape 和 component=tsdb 的错误、磁盘，以及机器的时钟。',
    ],
  },
  ModelwatchStorageFailing: {
    summary: ['The metrics store of modelwatch fails to write', 'modelwatch 的指标存储写入失败'],
    description: [
      "Writing, compacting or reading the log of samples failed. Look at modelwatch's log for errors of component=tsdb, and at the disk.",
      '写入、压缩或读取样本日志失败。请查看 modelwatch 日志中 component=tsdb 的错误，以及磁盘。',
    ],
  },
  ModelwatchNotificationsFailing: {
    summary: ['Notifications by {{integration}} fail', '通过 {{integration}} 的通知失败'],
    description: [
      'modelwatch could not deliver notifications by {{integration}} in the last five minutes. GET /ai/v1/notifications?failed=true shows the errors.',
      '在最近五分钟内，modelwatch 未能通过 {{integration}} 送达通知。GET /ai/v1/notifications?failed=true 显示错误。',
    ],
  },
  ModelwatchNotificationStateNotSaved: {
    summary: ['Silences or the notification history cannot be written', '静默或通知历史无法写入'],
    description: [
      'Alerts are still told, but what is silenced now may be forgotten at a restart. Look at the free disk space.',
      '告警仍会通知，但现在的静默可能在重启后丢失。请查看磁盘剩余空间。',
    ],
  },
  ModelwatchDiskFilling: {
    summary: ['The disk under the data directory is nearly full', '数据目录所在的磁盘即将写满'],
    description: [
      '{{value}}B are free. Writes will be refused when the reserve is reached. Free some space or lower the retention.',
      '剩余 {{value}}B。降到预留空间时将拒绝写入。请腾出空间，或缩短保留时间。',
    ],
  },
  ModelwatchDiskFull: {
    summary: ['modelwatch refuses writes: the disk is full', 'modelwatch 拒绝写入：磁盘已满'],
    description: [
      '{{value}} bytes are free under {{path}}. Reading and notifying go on. Free some space: writing resumes by itself.',
      '{{path}} 下剩余 {{value}} 字节。读取和通知照常。请腾出空间：写入会自行恢复。',
    ],
  },
  ModelwatchRuleEvaluationLate: {
    summary: ['Rules of {{rule_group}} are evaluated late', '{{rule_group}} 的规则求值延迟'],
    description: [
      'Evaluating the group takes longer than its interval: alerts of it come late. Raise the interval or split the group.',
      '对该组求值的耗时超过其间隔：其告警会迟到。请加大间隔，或拆分该组。',
    ],
  },
  ModelwatchRuleFailing: {
    summary: ['Rules of {{rule_group}} cannot be evaluated', '{{rule_group}} 的规则无法求值'],
    description: [
      'A rule in {{rule_group}} fails, so its alert can never fire. GET /api/v1/rules shows lastError.',
      '{{rule_group}} 中有规则失败，因此其告警永远不会触发。GET /api/v1/rules 显示 lastError。',
    ],
  },
  ModelwatchConfigurationRefused: {
    summary: ['modelwatch runs on an old configuration', 'modelwatch 正以旧配置运行'],
    description: [
      'The last reload was refused. Run `modelwatch check` on the changed file.',
      '最近一次重新加载被拒绝。请对修改过的文件运行 `modelwatch check`。',
    ],
  },
};

/** knownOf finds an alert, whose name may be any text. */
const knownOf = (alert: string) => (Object.hasOwn(builtinAlerts, alert) ? builtinAlerts[alert] : undefined);

const pieces = /(\{\{\w+(?:\|[^}]*)?\}\}|\[\[|\]\])/;
const place = /\{\{(\w+)(?:\|([^}]*))?\}\}/;
const places = new RegExp(place, 'g');
const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/\s+/g, '\\s*');

/** What alerts have beside their labels. */
const figure = /^(value|q\d+|path)$/;

/** valuesIn gives the labels and reads the figures of an English text; undefined where another rule has written it. */
function valuesIn(en: string, labels: Labels, text: string): Record<string, string | undefined> | undefined {
  const seen = new Set<string>();
  let pattern = '';
  for (const piece of en.split(pieces)) {
    const [, name, otherwise] = place.exec(piece) ?? [];
    if (piece === '[[') pattern += '(?:';
    else if (piece === ']]') pattern += ')?';
    else if (name === undefined) pattern += escaped(piece);
    else if (!figure.test(name)) pattern += escaped(labels[name] || (otherwise ?? ''));
    else if (seen.has(name)) pattern += `\\k<${name}>`;
    else {
      seen.add(name);
      pattern += `(?<${name}>.+?)`;
    }
  }
  const found = new RegExp(`^\\s*${pattern}\\s*$`, 's').exec(text);
  return found ? { ...labels, ...found.groups } : undefined;
}

/** fill writes a text with values, without the parts of which one is missing. */
function fill(text: string, value: (name: string) => string | undefined): string {
  return text
    .replace(/\[\[(.*?)\]\]/gs, (_, part: string) =>
      [...part.matchAll(places)].every((m) => value(m[1] as string) !== undefined) ? part : '',
    )
    .replace(places, (_, name: string, otherwise = '') => value(name) || otherwise);
}

const kinds: Record<Locale, Record<string, string>> = kindWords;

/**
 * inWords gives annotations of an alert in a language, with kinds of findings in words, where a built-in rule has written
 * them, and as they are elsewhere.
 */
export function inWords(labels: Labels, annotations: Labels, locale: Locale): Labels {
  const known = knownOf(labels.alertname ?? '');
  if (!known) return annotations;
  const out = { ...annotations };
  for (const key of ['summary', 'description'] as const) {
    const [en, zh, page = en] = known[key];
    const text = locale === 'en' ? page : zh;
    if (locale === 'en' && !text.includes('{{kind}}')) continue;
    const values = valuesIn(en, labels, annotations[key] ?? '');
    if (values)
      out[key] = fill(text, (n) =>
        n === 'kind' ? (kinds[locale][values.kind ?? ''] ?? values.kind) : values[n],
      ).trim();
  }
  return out;
}

/** useAnnotations gives the annotations of alerts in the reader's language. */
export function useAnnotations(): (alert: { labels: Labels; annotations: Labels }) => Labels {
  const { locale } = useLocale();
  return ({ labels, annotations }) => inWords(labels, annotations, locale);
}

/**
 * useTemplates gives the annotations of a rule in the reader's language, with {{name}} where an alert of it has a label or
 * a figure. Only rules of built-in files have others than they are written with.
 */
export function useTemplates(): (file: string, alert: string, annotations: Labels) => Labels {
  const { locale } = useLocale();
  return (file, alert, annotations) => {
    const known = knownOf(alert);
    if (locale !== 'zh-CN' || !known || !file.startsWith('builtin:')) return annotations;
    const plain = ([, zh]: Text) => fill(zh, (name) => `{{${name}}}`);
    return { ...annotations, summary: plain(known.summary), description: plain(known.description) };
  };
}
