import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { formats } from './format';
import { kindWords } from './kinds';
import { phrases, sayOfModels } from './saidOfModels';

const en = formats('en');
const zh = formats('zh-CN');
const root = new URL('../../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');
const sources = (folder: string, name = /^(?!.*_test\.go$).*\.go$/) =>
  readdirSync(new URL(folder, root))
    .filter((file) => name.test(file))
    .map((file) => read(`${folder}${file}`))
    .join('\n');

test.each([
  [
    'not judged (Out of range, F1 against the baseline): 12 labelled answers in the window, at least 1000 are needed.',
    '未评判：超出范围、F1 对比基线（窗口中有 12 个有标签的输出，至少需要 1,000 个）。',
    'Not judged: Out of range, F1 against the baseline (12 labelled answers in the window, at least 1,000 are needed).',
  ],
  [
    "p95 latency is 2.92 s, 19.0 times the baseline's 154 ms (95% interval 18.2 to 20.7; 600 requests).",
    '延迟 95 分位为 2.92秒，是基线 154毫秒 的 19.0 倍（95% 区间 18.2 至 20.7；600 个请求）。',
    "p95 latency is 2.92 s, 19.0 times the baseline's 154 ms (95% interval 18.2 to 20.7; 600 requests).",
  ],
  [
    'The baseline is the automatic one of the first 2000 records (2000 records from 2026-03-01T00:00:00Z to 2026-03-01T00:03:19Z), and nobody has confirmed it: POST /ai/v1/baselines/x/confirm.',
    '基线是由最初 2,000 条记录自动创建的，尚无人确认：请在“基线”中确认。',
    'The baseline is the automatic one of the first 2,000 records, and nobody has confirmed it: confirm it under “Baselines”.',
  ],
  [
    'ranker@v1: x 1 drifted: share of "visa card" 0.1 → 0.4 (Anderson-Darling: score 0.31, threshold 0.03, p-value 1e-12 of at most 0.0005, 600 rows against 2000) One window so far: the next one must confirm it.',
    'ranker@v1：x 1 已漂移："visa card" 的占比 0.1 → 0.4（Anderson-Darling 检验：效应量 0.31，阈值 0.03，p 值 1\u00a0×\u00a010⁻¹²，须不大于 0.0005，600 行对 2,000 行）（目前只有一个窗口如此，须由下一个窗口确认。）',
    'ranker@v1: x 1 drifted: share of "visa card" 0.1 → 0.4 (Anderson-Darling: score 0.31, threshold 0.03, p-value 1\u00a0×\u00a010⁻¹² of at most 0.0005, 600 rows against 2,000) One window so far: the next one must confirm it.',
  ],
  [
    'ranker@v1: host-1: Memory is 93.0% used.',
    'ranker@v1：host-1：内存已使用 93.0%。',
    'ranker@v1: host-1: Memory is 93.0% used.',
  ],
  [
    'Mean latency: worse: 310 ms beside 102 ms, newer over older 3.04 (at least 2.1 with 95% confidence).',
    '平均延迟：更差：310毫秒，旧版本 102毫秒，新旧之比 3.04（以 95% 的置信度不低于 2.1）。',
    'Mean latency: worse: 310 ms beside 102 ms, newer over older 3.04 (at least 2.1 with 95% confidence).',
  ],
  [
    'left out: 3 records from the future, 2 values past the limit on features',
    '未计入：3 条来自未来的记录、2 个超出特征数上限的值',
    'left out: 3 records from the future, 2 values past the limit on features',
  ],
  [
    'Version v2 is worse beside v1. Accuracy: unknown: 75.0% beside 76.3%, newer minus older -1.34% (95% interval -4.71% to 1.90%). 95th percentile of latency: unknown: 3 and 400 requests, at least 20 of each are needed.',
    '版本 v2 与 v1 相比：更差。准确率：尚无法判断：75.0%，旧版本 76.3%，新旧之差 -1.34%（95% 区间 -4.71% 至 1.90%）。延迟 95 分位：尚无法判断：分别有 3 和 400 个请求，各至少需要 20 个。',
    'Version v2 is worse beside v1. Accuracy: unknown: 75.0% beside 76.3%, newer minus older -1.34% (95% interval -4.71% to 1.90%). 95th percentile of latency: unknown: 3 and 400 requests, at least 20 of each are needed.',
  ],
  [
    '60 records in 1m0s are too few to compare with the baseline.',
    '1分钟内只有 60 条记录，太少，无法与基线比较。',
    '60 records in 1 minute are too few to compare with the baseline.',
  ],
  ['something that a newer server says', 'something that a newer server says', 'something that a newer server says'],
])('%s', (said, inChinese, inEnglish) => {
  expect(sayOfModels(said, zh)).toBe(inChinese);
  expect(sayOfModels(said, en)).toBe(inEnglish);
});

test('a text of many parts is looked at once', () => {
  const long = Array.from({ length: 200 }, (_, i) => `part${i}`).join(': ');
  const begun = performance.now();
  expect(sayOfModels(long, zh)).toBe(long);
  expect(performance.now() - begun).toBeLessThan(2000);
});

test('checks have the titles that sentences of the server have', () => {
  const titles = ['ai/quality/', 'ai/performance/', 'ai/status/']
    .map((folder) => sources(folder))
    .concat(read('ai/drift/result.go'))
    .flatMap((text) => [...text.matchAll(/\bTitle: "([^"]+)"/g)].map((m) => m[1]));
  expect(titles.length).toBeGreaterThan(30);
  expect(Object.values(kindWords.en)).toEqual(expect.arrayContaining(titles));
});

/** skeleton is a sentence without what differs. */
const skeleton = (text: string) =>
  text
    .replace(/%(?:\[\d\])?(?:\.\d)?[a-z](?:%%)?|\{[a-z]\d*\}/g, '\0')
    .replace(/\0(?:[ ]?\0)*/g, '\0')
    .replace(/\.$/, '');

test('there is a translation of every sentence in the sources', () => {
  const known = new Set(phrases.map(([said]) => skeleton(said)));
  const text = [
    sources('ai/quality/'),
    sources('ai/performance/'),
    sources('ai/status/'),
    ...['auto', 'evaluate', 'classifier'].map((f) => read(`ai/drift/${f}.go`)),
    ...['evaluate', 'state', 'collector', 'together'].map((f) => read(`evaluate/models/${f}.go`)),
    read('ai/drift/compare/compare.go'),
    read('ai/drift/peer/nannyml.go'),
  ].join('\n');
  const places = [
    /(?:Sprintf|say)\(\s*"((?:[^"\\]|\\.)+)"/g,
    /[rR]eason(?: :?=|,) "((?:[^"\\]|\\.)+)"/g,
    /(?:unknown|measure|quantileMeasure|proportion)\([^"\n]*"((?:[^"\\]|\\.)+)"/g,
    /(?:none|noAnswer|noProbabilities|why|reason) :?= "((?:[^"\\]|\\.)+)"/g,
    /Reasons, "((?:[^"\\]|\\.)+)"/g,
    /errors\.New\("(nannyml: (?:[^"\\]|\\.)+)"/g,
    /shareOf\(in, f, [^"\n]+"((?:[^"\\]|\\.)+)"/g,
  ];
  // Parts of sentences, whose whole is in the table with the kinds of words that they have.
  const parts = new Set(
    [
      '%q',
      '%.6g',
      '%d %s',
      ' and %d more',
      ' (now %.6g to %.6g)',
      'in all, %d by %s',
      '%.3g%%',
      'in the baseline ',
      '%d %s, at least %d are needed',
      '%.0f of the expected GPUs do not answer',
      'Whether %s answers is not known %s.',
      'row %d of the current data could not be counted',
      'the current data made %d windows instead of one',
      '%d inferences were left out, the last at %s: the limit of %s is reached (inferences.limits.%s).',
      'the baseline has no single records to compare with: ',
      'too few requests to tell the versions apart: ',
      // Not of a page: errors of settings, and findings that are not told.
      '%s: drift is unknown: %s',
      '%s may have drifted: %s (%s)',
      '%s: no drift (%s)',
      '%s %s → %s',
      // With the words of f, o and e in the table; real ones are below.
      'Accuracy is %s, %s in the baseline (fall %s, %s; %d labelled answers).',
      'Accuracy is estimated at %s, %s in the baseline (fall %s, %s; %d answers; %s).',
      '%s of %d requests failed (%d %s; %s).',
      '%s: %s: %s beside %s, %s %s (%s).',
      '.',
      ': ',
      'F1 is estimated at %s, %s in the baseline (fall %s, %s; %d answers; %s).',
      '%s of requests %s, %s in the baseline (difference %s, %s; %d requests).',
    ].map(skeleton),
  );
  const found = new Set(
    places.flatMap((place) => [...text.matchAll(place)].map((m) => (m[1] ?? '').replaceAll('\\"', '"'))),
  );
  expect(found.size).toBeGreaterThan(90);
  const missing = [...found].filter((said) => !known.has(skeleton(said)) && !parts.has(skeleton(said)));
  expect(missing).toEqual([]);
});

test('what is counted is in the table', () => {
  const text = sources('ai/performance/');
  const counted = [...text.matchAll(/few\([^"\n]*"([^"]+)"/g)].map((m) => m[1]);
  expect(counted.length).toBeGreaterThan(12);
  for (const what of counted) {
    const said = `7 ${what}, at least 100 are needed`;
    expect(sayOfModels(said, zh), what).not.toMatch(/[a-z]/);
  }
});

test('what the judges of models have said in tests is said in Chinese', () => {
  const lines = readdirSync(new URL('ai/performance/testdata/', root))
    .flatMap((file) => read(`ai/performance/testdata/${file}`).split('\n'))
    .concat(
      readdirSync(new URL('evaluate/models/testdata/', root)).flatMap((file) =>
        read(`evaluate/models/testdata/${file}`)
          .split('\n')
          .map((l) => l.replace(/^ {4}- /, '  ')),
      ),
    )
    .filter((l) => /^ {2}[^ ].*\.$/.test(l) && !/: (unknown|healthy|degraded|down)/.test(l))
    .map((l) => l.trim());
  expect(lines.length).toBeGreaterThan(60);
  for (const said of lines) expect(sayOfModels(said, zh), said).not.toBe(said);
});
