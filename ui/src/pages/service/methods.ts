// The names of drift methods, by the ids that the API gives.
import { useWords, words } from '../../lib/words';

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

/** useMethodName names methods. One of a newer server keeps its id. */
export function useMethodName(): (id: string) => string {
  const names: Record<string, string> = useWords(methodWords);
  return (id) => names[id] ?? id;
}
