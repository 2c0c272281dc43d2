import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { formats } from './format';
import { phrases, sayError } from './saidErrors';

const zh = formats('zh-CN');
const root = new URL('../../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, root), 'utf8');
const folder = (path: string) =>
  readdirSync(new URL(path, root))
    .filter((file) => file.endsWith('.go') && !file.endsWith('_test.go'))
    .map((file) => read(path + file))
    .join('\n');

/** literals are the sentences in the sources, whole where several pieces make one. */
const literals = (text: string) =>
  [
    ...text
      .replaceAll(/'(?:\\.|[^'\\\n])'/g, '')
      .replaceAll(/"\s*\+\s*Hidden\s*\+\s*"/g, '<secret>')
      .replaceAll(/\bHidden\s*\+\s*"/g, '"<secret>')
      .replaceAll(/"\s*\+\s*\n?\s*"/g, '')
      .matchAll(/"((?:[^"\\\n]|\\.)*)"|`([^`\n]+)`/g),
  ]
    .map((m) => (m[1] ?? m[2] ?? '').replaceAll('\\"', '"').replaceAll('%%', '%'))
    .filter(Boolean);

const skeleton = (text: string) =>
  text
    .replace(/%(?:\[\d\])?[dsqvwg]|\{[a-z]\d*\}/g, '\0')
    .replace(/\0(?: ?\0)*/g, '\0')
    .trim();

const all = literals(
  [
    'config/',
    'config/edit/',
    'evaluate/rules/',
    'evaluate/models/',
    'app/',
    'app/comparison/',
    'notify/',
    'api/files/',
    'api/models/',
    'api/auth/',
    'store/inferences/',
  ]
    .map(folder)
    .join('\n'),
);

test('the server says every sentence of the table', () => {
  // These are made of pieces.
  const made = [
    / (?:rules|scrape jobs)? ?that are added there later/,
    /changing it takes the role admin/,
    /matches no file$/,
    /^(?:the (?:baseline|current data) has|of the (?:baseline|current data) no)/,
    /^(?:line|row) \{n\}: \{x\}$/,
    /^(?:rules|scrape jobs) that are added/,
  ];
  const known = new Set(all.map(skeleton));
  const stale = phrases
    .map(([said]) => said)
    .filter(
      (said) =>
        !known.has(skeleton(said)) &&
        !known.has(skeleton(said.replace(/\{[a-z]\}$/, ''))) &&
        !made.some((p) => p.test(said)),
    );
  expect(stale).toEqual([]);
});

test('there is a translation of every hint and refusal', () => {
  const table = new Set(phrases.map(([said]) => skeleton(said)));
  const hints = literals(
    /func HintFor[\s\S]*?\n}\n/.exec(read('config/problem.go'))?.[0].replaceAll(/strings\.\w+\([^)]*\)/g, '') ?? '',
  );
  expect(hints.length).toBeGreaterThan(10);
  const files = [...read('config/edit/create.go').matchAll(/refuse\((?:fmt\.Sprintf\()?"((?:[^"\\]|\\.)+)"/g)].map(
    (m) => m[1] ?? '',
  );
  expect(files.length).toBeGreaterThan(5);
  const live = [
    ...read('app/comparison/live.go').matchAll(
      /refuse\(http\.Status(?:Conflict|NotFound|TooManyRequests|RequestEntityTooLarge), "((?:[^"\\]|\\.)+)"/g,
    ),
  ]
    .map((m) => m[1] ?? '')
    .filter((x) => x !== '%w');
  expect(live.length).toBeGreaterThan(4);
  const parts = [/^of %s no raw/, /^%s has %d rows/];
  const missing = [...hints, ...files, ...live].filter((x) => !table.has(skeleton(x)) && !parts.some((p) => p.test(x)));
  expect(missing).toEqual([]);
});

test.each([
  [
    'shop/ranker@v1 has no baseline in use: give a span by baseline_since and baseline_until',
    'shop/ranker@v1 没有使用中的基线：请选择与此前的一段时间对照',
  ],
  [
    'the expression gives a range vector, and a rule needs a vector or a number',
    '表达式的结果是区间向量，而规则需要瞬时向量或数字',
  ],
  ['password: the password is not UTF-8', 'password：密码不是 UTF-8'],
  ['web.auth.session_idle: cannot be read: no', 'web.auth.session_idle：无法读取：no'],
  ['this file is not edited here: not a text in UTF-8', '此文件不在这里编辑：不是 UTF-8 文本'],
  ['1:7: parse error: unexpected end of input', '1:7: parse error: unexpected end of input'],
  ['the preview took longer than 30s: choose a shorter time', '预览耗时超过 30秒钟：请选择更短的时间'],
])('%s', (said, inChinese) => {
  expect(sayError(said, zh)).toBe(inChinese);
});
