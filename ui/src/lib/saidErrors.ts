// What the server says where it refuses something, and what it finds wrong in files, in Chinese. It is loaded only where
// it is needed. Errors of the parsers of YAML, PromQL and LogQL stay as they are: people search for them.
import { type Phrase, sayer } from './said';

export const phrases: Phrase[] = [
  // Previews.
  ['the expression gives a {k}, and a rule needs a vector or a number', '表达式的结果是{k}，而规则需要瞬时向量或数字'],
  [
    'LogQL is answered by a Loki elsewhere, so rules of it cannot be previewed',
    'LogQL 由别处的 Loki 应答，因此无法预览其规则',
  ],
  ['the preview took longer than {d}: choose a shorter time', '预览耗时超过 {d}：请选择更短的时间'],
  ['{x}: {x2}: write durations such as 30s, 5m or 7d', '{x}：{x2}：请写成 30s、5m 或 7d 这样的时长'],
  ['range: {x} is not from one minute to {x2}', '时间范围：{x} 不在一分钟至 {x2} 之间'],
  ['read request: {x}', '读取请求：{x}'],

  // Files.
  ['this file is not edited here: {r}', '此文件不在这里编辑：{r}'],
  [
    'the file has changed since you read it: compare, and save again on top of what it says now',
    '文件在您读取之后已改变：请比较，并在其现有内容之上再次保存',
  ],
  ['not saved, the configuration would be refused: {r}', '未保存，配置会被拒绝：{r}'],
  ['the configuration in use names no such file', '使用中的配置没有提到这个文件'],
  ['there is no such version of this file: only the newest are kept', '没有此文件的这个版本：只保留最新的一些版本'],
  [
    'there is something of this name already, and it stays as it is: choose another name, or edit that file',
    '已有同名的文件，它保持原样：请换一个名称，或编辑那个文件',
  ],
  [
    '{x}: changing it takes the role admin, since it says who may log in and where data lies',
    '{x}：修改它需要 admin 角色，因为它规定谁可以登录、数据放在哪里',
  ],
  [
    '{x}: changing it takes the role admin, since it can make any file of the host readable as a log',
    '{x}：修改它需要 admin 角色，因为它可以让主机上的任何文件作为日志被读取',
  ],
  ['the new file has no name', '新文件没有名称'],
  ['give it one, such as alerts.yml', '请起一个名称，例如 alerts.yml'],
  ['{x} is a path, not a name', '{x} 是路径，不是名称'],
  ['give the name alone; the directory is chosen beside it', '只写名称；目录在旁边选择'],
  ['the name is too long', '名称太长'],
  ['give one of at most {n} bytes', '请不要超过 {n} 字节'],
  ['{x} is not a good name', '{x} 不是合适的名称'],
  [
    'use letters, digits, dots, hyphens and underscores, and begin with a letter, a digit or an underscore',
    '使用字母、数字、点、连字符和下划线，并以字母、数字或下划线开头',
  ],
  [
    'no pattern of rule_files covers the directory {x}, so a file there would not be taken over',
    'rule_files 中没有模式覆盖目录 {x}，因此其中的文件不会被采用',
  ],
  [
    'add a pattern such as rules/*.yml to rule_files in prometheus.yml first',
    '请先在 prometheus.yml 的 rule_files 中添加模式，例如 rules/*.yml',
  ],
  ['rule_files would not take a file of the name {x} over', 'rule_files 不会采用名为 {x} 的文件'],
  [
    'for {x} it has {x2}: give a name like that, or add another pattern',
    '对 {x}，它有 {x2}：请按此起名，或添加别的模式',
  ],
  ['larger than {n} KiB', '大于 {n} KiB'],
  ['split the file, or edit it on its machine', '请拆分文件，或在其机器上编辑'],
  ['not a text in UTF-8', '不是 UTF-8 文本'],
  ['the comment is longer than {n} bytes', '说明超过 {n} 字节'],
  ['<secret> is only a part of this value', '<secret> 只是这个值的一部分'],
  ['write the whole value, or leave <secret> alone', '请写完整的值，或只保留 <secret>'],
  ['<secret> stands where the file has no hidden value', '<secret> 所在之处，文件中没有隐藏的值'],
  ['write the value itself; a hidden value stays only where it was', '请写值本身；隐藏的值只能留在原处'],
  ['<secret> cannot be replaced in this notation', '在这种写法中无法替换 <secret>'],
  ['write <secret> on one line', '请把 <secret> 写在一行内'],
  ['the hidden value cannot be read', '无法读取隐藏的值'],
  ['write the value itself', '请写值本身'],
  ['<secret> stands in a comment where the file has no hidden value', '注释中有 <secret>，而文件中没有隐藏的值'],
  ['take the comment out, or write the value itself', '请去掉注释，或写值本身'],
  ['the hidden values cannot be put back into this text', '无法把隐藏的值放回这段文本'],
  ['write the secrets themselves', '请写机密本身'],
  [
    'the file on disk is not YAML, so its secrets cannot be put back: {x}',
    '磁盘上的文件不是 YAML，因此无法放回其机密：{x}',
  ],

  // What is wrong in files, and the ways out.
  ['YAML is indented by spaces, not by tabs', 'YAML 用空格缩进，不用制表符'],
  ['no such setting here: check its spelling and indentation', '这里没有这样的设置：请检查拼写和缩进'],
  ['check the indentation and the quotes of this line and the one before it', '请检查此行及上一行的缩进和引号'],
  ['the value is of another kind than this setting takes', '此设置不接受这种类型的值'],
  ['write durations such as 15s, 5m or 1h30m', '请写成 15s、5m 或 1h30m 这样的时长'],
  ['lower scrape_timeout or raise scrape_interval', '请调低 scrape_timeout 或调高 scrape_interval'],
  ['give each job a name of its own', '请给每个任务各自的名称'],
  [
    'add a receiver of this name under receivers, or mend the name in the route',
    '请在 receivers 下添加此名称的接收器，或改正路由中的名称',
  ],
  [
    'check the path; relative paths are taken from the directory of the file that names them',
    '请检查路径；相对路径从提到它的文件所在目录算起',
  ],
  [
    "templates know Prometheus's functions, such as humanize, printf or query, and round",
    '模板可用 Prometheus 的函数，如 humanize、printf、query，以及 round',
  ],
  [
    "a label's name has letters, digits and _, and does not begin with a digit",
    '标签名由字母、数字和 _ 组成，且不以数字开头',
  ],
  [
    'set smtp_smarthost under global, or smarthost in the receiver',
    '请在 global 下设置 smtp_smarthost，或在接收器中设置 smarthost',
  ],
  ['try the expression at /api/v1/parse_query', '可在 /api/v1/parse_query 试验该表达式'],
  ["templates are written in Go's template language", '模板用 Go 的模板语言书写'],
  ['relative paths are taken from the directory of this file', '相对路径从此文件所在目录算起'],
  ['check the settings at the top of the file', '请检查文件开头的设置'],
  [
    'a file of scrape_config_files has scrape_configs alone; other settings belong into prometheus.yml',
    'scrape_config_files 的文件只能有 scrape_configs；其他设置应写在 prometheus.yml 中',
  ],
  ['cannot be read: {x}', '无法读取：{x}'],
  ['check the path and its permissions', '请检查路径及其权限'],
  ['give the file itself, not its directory', '请给出文件本身，而不是其目录'],
  ['larger than {n} MiB', '大于 {n} MiB'],
  ['this is not a configuration file', '这不是配置文件'],
  ["scrape job {x} is modelwatch's own", '抓取任务 {x} 是 modelwatch 自己的'],
  [
    'give your job another name; modelwatch scrapes itself without being told to',
    '请给您的任务起别的名称；modelwatch 无需设置就会抓取自身',
  ],
  ['{x} matches no file', '{x} 没有匹配到文件'],
  ['rules that are added there later are taken over at the next reload', '以后添加到那里的规则会在下次重新加载时采用'],
  [
    'scrape jobs that are added there later are taken over at the next reload',
    '以后添加到那里的抓取任务会在下次重新加载时采用',
  ],
  ['not a list of groups of targets in JSON: {x}', '不是 JSON 格式的目标组列表：{x}'],
  [
    'write [{"targets": ["host:port"], "labels": {"name": "value"}}]',
    '请写成 [{"targets": ["host:port"], "labels": {"name": "value"}}]',
  ],
  ['group {n} is empty', '第 {n} 组是空的'],
  ['take it out, or give it targets', '请去掉它，或给它目标'],
  ['{x} is not a host with a port', '{x} 不是带端口的主机'],
  [
    'write host:port; scheme and path are settings of the scrape job: scheme and metrics_path',
    '请写 host:port；协议和路径是抓取任务的设置：scheme 和 metrics_path',
  ],
  ['{x} is not the name of a label', '{x} 不是标签名'],
  [
    '{x} is an extension of modelwatch: Prometheus itself would refuse this file',
    '{x} 是 modelwatch 的扩展：Prometheus 本身会拒绝此文件',
  ],
  ['for both, write {{ printf "%.2f" $value }}', '要两者都接受，请写 {{ printf "%.2f" $value }}'],

  // Routes and receivers.
  ['no route leads to receiver {x}', '没有路由通向接收器 {x}'],
  ['receiver {x} cannot be built, but no route leads to it: {x2}', '接收器 {x} 无法建立，但没有路由通向它：{x2}'],
  [
    'route {x}: repeat_interval {x2} is longer than notifications are remembered ({x3}), so they may repeat earlier',
    '路由 {x}：repeat_interval {x2} 长于通知的保留时间（{x3}），因此可能更早重复',
  ],
  [
    'route {x}: repeat_interval {x2} is shorter than group_interval {x3}, so notifications repeat at the next group_interval only',
    '路由 {x}：repeat_interval {x2} 短于 group_interval {x3}，因此要到下一个 group_interval 才会重复通知',
  ],
  ['templates: no file matches {x}', '模板：没有文件匹配 {x}'],
  [
    'tracing is ignored here: spans are exported by the process as a whole',
    '此处的 tracing 被忽略：跨度由整个进程导出',
  ],
  ['event_recorder is ignored: it needs the feature {x}', 'event_recorder 被忽略：它需要功能 {x}'],
  [
    'the receiver has no integrations, so nobody is told; its notifications are only recorded',
    '该接收器没有任何集成，因此不会通知任何人；其通知只作记录',
  ],

  // Baselines.
  ['there is no baseline {x}: GET /ai/v1/baselines lists them', '没有基线 {x}'],
  ['baseline {x} is in use: activate another one of {x2} first', '基线 {x} 正在使用：请先启用 {x2} 的另一条基线'],
  ['decode baseline: {x}', '读取基线：{x}'],
  ['there are no rows: a baseline needs reference data', '没有行：基线需要参照数据'],
  ['the note is {n} bytes long, the limit is 1000', '备注有 {n} 字节，上限为 1000'],
  ['the range ends at {t}, which is not after its start at {t2}', '时间范围的结束（{t}）不晚于开始（{t2}）'],
  [
    '{x} has no stored windows between {t} and {t2}: GET /ai/v1/models/{x2}/versions/{x3} shows those it has',
    '{x} 在 {t} 至 {t2} 之间没有保存的窗口',
  ],
  ['the windows between {t} and {t2} hold no records', '{t} 至 {t2} 之间的窗口没有记录'],
  [
    'this is a Parquet file and no {x}: send it as application/vnd.apache.parquet',
    '这是 Parquet 文件，不是 {x}：文件名请以 .parquet 结尾',
  ],
  ['the table is empty: the first line must name the columns', '表格是空的：第一行必须是列名'],
  ['line 1: column {n} has the name {x}, which is empty or there twice', '第 1 行：第 {n} 列的名称 {x} 为空或重复'],
  ['{x} {n} is over {n2} bytes long: send one JSON object a line', '第 {n} 行超过 {n2} 字节：请每行一个 JSON 对象'],
  ['after row {n}: {x}', '第 {n} 行之后：{x}'],
  ['line {n}: {x}', '第 {n} 行：{x}'],
  ['row {n}: {x}', '第 {n} 行：{x}'],
  ['the body is not JSON: {x}', '内容不是 JSON：{x}'],
  [
    'the body is neither an exported baseline, which has a "format", nor a range of time: {x}',
    '内容既不是导出的基线（其中有 "format"），也不是时间范围：{x}',
  ],

  // Comparisons by the rules of other tools.
  [
    '{x} has no baseline in use: give a span by baseline_since and baseline_until',
    '{x} 没有使用中的基线：请选择与此前的一段时间对照',
  ],
  [
    'baseline {x} was not made of inferences of {x2}, so none of its rows are kept here: compare files (modelwatch drift compare --baseline=FILE --current=FILE), or give a span by baseline_since and baseline_until',
    '基线 {x} 不是由 {x2} 的推理创建的，因此这里没有保留它的记录：请选择与此前的一段时间对照，或用 modelwatch drift compare --baseline=FILE --current=FILE 比较文件',
  ],
  [
    'another comparison is under way, and one is made at a time: ask again in a minute',
    '另一次比较正在进行，一次只能进行一个：请一分钟后再试',
  ],
  [
    'of the baseline no raw inferences of {x} from {t} to {t2} are kept: inferences.raw.retention says for how long they are',
    '对照一侧没有保留 {x} 从 {t} 到 {t2} 的单次推理：inferences.raw.retention 规定保留多久',
  ],
  [
    'of the current data no raw inferences of {x} from {t} to {t2} are kept: inferences.raw.retention says for how long they are',
    '评判对象没有保留 {x} 从 {t} 到 {t2} 的单次推理：inferences.raw.retention 规定保留多久',
  ],
  [
    'the baseline has {n} rows: {x}: take a shorter span, leave features out by exclude, or take a sample by rows={n2}',
    '对照一侧有 {n} 行，超出一次所能比较的数量：请选择更短的时间，或抽取 {n2} 行样本',
  ],
  [
    'the current data has {n} rows: {x}: take a shorter span, leave features out by exclude, or take a sample by rows={n2}',
    '评判对象有 {n} 行，超出一次所能比较的数量：请选择更短的时间，或抽取 {n2} 行样本',
  ],
  ['a sample of {n} rows of {n2} has none: raise rows', '从 {n2} 行中抽取 {n} 行样本，结果一行也没有：请增加行数'],
  ['raw inferences are not kept: they are turned off in the configuration', '没有保留单次推理：配置中已将其关闭'],
  ['nobody waits for the answer any more', '已经没有人在等待答复'],

  // Users, sessions and tokens. A field may stand before them.
  ['this did not work: see the log of modelwatch', '操作未成功：请查看 modelwatch 的日志'],
  [
    'not done, since the audit log cannot be written: see the log of modelwatch',
    '未执行，因为审计日志无法写入：请查看 modelwatch 的日志',
  ],
  ['the credentials could not be checked: see the log of modelwatch', '无法核对凭据：请查看 modelwatch 的日志'],
  ['too many log-ins at once: try again in a moment', '同时登录的人太多：请稍后再试'],
  ['too many attempts: try again in {n} s', '尝试次数太多：请 {n} 秒后再试'],
  ['the session has ended: log in again', '会话已结束：请重新登录'],
  ['the password is longer than {n} bytes', '密码超过 {n} 字节'],
  ['the password is not UTF-8', '密码不是 UTF-8'],
  ['the password needs at least {n} characters: a few words will do', '密码至少需要 {n} 个字符：几个词即可'],
  ['the password is little more than the name of the user', '密码与用户名相差无几'],
  ['the password has fewer than 5 different characters', '密码中不同的字符少于 5 个'],
  ['current: this is not your password', '当前密码不正确'],
  ['new: it is the password that you have', '新密码与现有密码相同'],
  ['you have no such session', '您没有这样的会话'],
  ['there is no such user', '没有这个用户'],
  ['there is no such token', '没有这个令牌'],
  ['there is a user {x} already', '已有用户 {x}'],
  ['there is a token {x} already: revoke it first, or choose another name', '已有令牌 {x}：请先撤销它，或换一个名称'],
  ['there are {n} users, the most that are kept: delete some first', '已有 {n} 个用户，达到上限：请先删除一些'],
  ['there are {n} tokens, the most that are kept: revoke some first', '已有 {n} 个令牌，达到上限：请先撤销一些'],
  ['{x} is the last admin with a password: make another one first', '{x} 是最后一个有密码的管理员：请先创建另一个'],
  [
    'the role of {x} comes from OpenID Connect at each log-in: change the groups there, or web.auth.oidc.roles',
    '{x} 的角色在每次登录时取自 OpenID Connect：请在那里修改组，或修改 web.auth.oidc.roles',
  ],
  ['{x} logs in by OpenID Connect and has no password here', '{x} 通过 OpenID Connect 登录，在这里没有密码'],
  [
    'your password is kept where you log in by OpenID Connect: change it there',
    '您的密码保存在 OpenID Connect 的登录处：请在那里修改',
  ],
  ['name: it is empty, or begins or ends with a space', '名称为空，或以空格开头或结尾'],
  ['name: it is longer than {n} bytes', '名称超过 {n} 字节'],
  ['name: it is not UTF-8', '名称不是 UTF-8'],
  ['name: basic auth allows no colon in it', '名称不得含有冒号：基本认证不允许'],
  ['name: it has characters that cannot be seen', '名称含有不可见的字符'],
  [
    'ttl: {x} is not a duration of at most 10y: write it as 90d or 12h, or never',
    '有效期：{x} 不是不超过 10y 的时长：请写成 90d、12h 或 never',
  ],
];

const types = {
  scalar: '标量',
  'instant vector': '瞬时向量',
  'range vector': '区间向量',
  string: '字符串',
  none: '空',
};

/** sayError says an error of the server; one that it does not know stays. */
export const sayError = sayer(phrases, { k: types });
