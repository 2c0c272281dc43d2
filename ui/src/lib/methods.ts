// The names of drift methods, by the ids that the API gives.
import { type Locale, useLocale, useWords, words } from './words';

export const methodWords = words(
  {
    auto: 'Chosen automatically',
    anderson_darling: 'Anderson-Darling',
    chi_square: 'Chi-square',
    classifier: 'Domain classifier',
    cramer_von_mises: 'Cramér-von Mises',
    energy: 'Energy distance',
    g_test: 'G-test',
    hellinger: 'Hellinger distance',
    jensen_shannon: 'Jensen-Shannon distance',
    ks: 'Kolmogorov-Smirnov',
    missing: 'Missing share',
    mmd: 'Maximum mean discrepancy',
    proportion: 'Two proportions',
    psi: 'Population stability index',
    unseen: 'Unseen values',
    wasserstein: 'Wasserstein distance',
  },
  {
    auto: '自动选择',
    anderson_darling: 'Anderson-Darling 检验',
    chi_square: '卡方检验',
    classifier: '域分类器',
    cramer_von_mises: 'Cramér-von Mises 检验',
    energy: '能量距离',
    g_test: 'G 检验',
    hellinger: 'Hellinger 距离',
    jensen_shannon: 'Jensen-Shannon 距离',
    ks: 'Kolmogorov-Smirnov 检验',
    missing: '缺失比例',
    mmd: '最大均值差异',
    proportion: '两比例检验',
    psi: '群体稳定性指标（PSI）',
    unseen: '未见过的值',
    wasserstein: 'Wasserstein 距离',
  },
);

/** Units of effect sizes; a pure number has none to name. */
const units: Record<string, [string, string]> = {
  '1': ['', ''],
  'Hellinger distance': ['Hellinger distance', '（Hellinger 距离）'],
  'Jensen-Shannon distance, base 2': ['Jensen-Shannon distance, base 2', '（Jensen-Shannon 距离，以 2 为底）'],
  'square root of baseline deviations': ['square root of baseline deviations', '（基线标准差的平方根）'],
  'baseline deviations': ['standard deviations of the baseline', '（基线标准差）'],
  nats: ['nats', '（奈特）'],
  'kernel deviations': ['kernel deviations', '（核标准差）'],
};

/** What moved most, by the words of the server; a share has the name of what it is of in quotes. */
const changesZh: [RegExp, string][] = [
  [/^missing share$/, '缺失比例'],
  [/^share of unseen categories$/, '未见过的类别的占比'],
  [/^share of values that the baseline never had$/, '基线中从未有过的值的占比'],
  [/^distance from the baseline's embeddings$/, '与基线嵌入向量的距离'],
  [/^area under the ROC curve of a classifier$/, '分类器的 ROC 曲线下面积'],
  [/^shares of categories$/, '各类别的占比'],
  [/^share of other categories$/, '其他类别的占比'],
  [/^share of (.+)$/s, '$1 的占比'],
  [/^mean of the norm$/, '范数的均值'],
  [/^standard deviation of the norm$/, '范数的标准差'],
  [/^mean$/, '均值'],
  [/^standard deviation$/, '标准差'],
];

/** changeName says what it is that moved. What a newer server names stays as it is. */
export function changeName(of: string, locale: Locale): string {
  const [pattern, said] = (locale === 'en' ? undefined : changesZh.find(([p]) => p.test(of))) ?? [];
  return pattern && said ? of.replace(pattern, said) : of;
}

/** useUnitName names the unit of an effect size. */
export function useUnitName(): (unit: string) => string {
  const { locale } = useLocale();
  return (unit) => units[unit]?.[locale === 'en' ? 0 : 1] ?? unit;
}

/** Other tools have names of their own for the same methods. */
const aliases: Record<string, string> = {
  jensenshannon: 'jensen_shannon',
  chisquare: 'chi_square',
  'chi-square': 'chi_square',
  z: 'proportion',
};

/** useMethodName names methods. One of a newer server keeps its id. */
export function useMethodName(): (id: string) => string {
  const names: Record<string, string> = useWords(methodWords);
  return (id) => names[aliases[id] ?? id] ?? id;
}
