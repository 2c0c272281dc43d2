import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { builtinAlerts, inWords } from './builtinAlerts';
import type { Labels } from './labels';

const inChinese = (labels: Labels, annotations: Labels) => inWords(labels, annotations, 'zh-CN');

interface Rule {
  alert?: string;
  annotations: { summary: string; description: string };
}

const builtin = new URL('../../../evaluate/rules/builtin/', import.meta.url);
const rules = readdirSync(builtin).flatMap((name) =>
  (parse(readFileSync(new URL(name, builtin), 'utf8'), { merge: true }) as { groups: { rules: Rule[] }[] }).groups
    .flatMap((g) => g.rules)
    .filter((r) => r.alert),
);

/** patternOf writes a template of Go as the table does. It knows what the built-in rules use, and fails on all else. */
function patternOf(template: string): string {
  const parts = template
    .replace(/\s*\{\{-/g, '{{')
    .replace(/-\}\}\s*/g, '}}')
    .split(/\{\{\s*(.*?)\s*\}\}/s);
  let at = 0;
  let asked = 0;
  /** block reads up to the action that ends it; dot is what "." is in it. */
  const block = (dot: string): { text: string; end: string } => {
    let text = '';
    for (;;) {
      text += parts[at++] ?? '';
      const action = parts[at++];
      if (action === undefined || action === 'end' || action === 'else') return { text, end: action ?? '' };
      const label = /^(with )?\$labels\.(\w+)$/.exec(action);
      const or = /^or \$labels\.(\w+) "([^"]*)"$/.exec(action);
      if (label?.[1]) text += `[[${block(label[2] as string).text}]]`;
      else if (label) text += `{{${label[2]}}}`;
      else if (or) text += `{{${or[1]}|${or[2]}}}`;
      else if (/^with printf .*\| query$/.test(action)) text += `[[${block(`q${++asked}`).text}]]`;
      else if (/^range .*\| query\b/.test(action)) {
        block('');
        text += `[[{{q${++asked}}}]]`;
      } else if (action === 'with . | first | value') {
        const inner = block(dot);
        text += inner.text;
        if (inner.end === 'else') block(dot); // A figure, too.
      } else if (/^if \$\w+$/.test(action)) {
        const yes = block(dot);
        if (yes.end === 'else') expect(block(dot).text).toBe(yes.text);
        text += yes.end === 'else' ? yes.text : `[[${yes.text}]]`;
      } else if (/^\.( \||$|\w)/.test(action)) text += `{{${dot}}}`;
      else if (/^\$\w+ := /.test(action)) text += '';
      else if (/\$value\b/.test(action)) text += '{{value}}';
      else throw new Error(`what is {{ ${action} }}?`);
    }
  };
  return block('').text.replace(/\s+/g, ' ').trim();
}

const names = (text: string) => new Set([...text.matchAll(/\{\{(\w+)(?:\|[^}]*)?\}\}/g)].map((m) => m[1]));

test('there are rules, and every one of their alerts is in the table', () => {
  expect(rules.length).toBeGreaterThan(0);
  const own = ['ModelwatchDiskFull']; // Sent by the guard of the disk, without a rule.
  expect(Object.keys(builtinAlerts).sort()).toEqual([...new Set([...rules.map((r) => r.alert), ...own])].sort());
});

describe('what the table has in English is what the rules say', () => {
  test.each(rules.map((r) => [r.alert as string, r] as const))('%s', (alert, rule) => {
    expect(builtinAlerts[alert]?.summary[0]).toBe(patternOf(rule.annotations.summary));
    expect(builtinAlerts[alert]?.description[0]).toBe(patternOf(rule.annotations.description));
  });
});

describe('the Chinese uses the labels and figures of the English', () => {
  test.each(Object.entries(builtinAlerts))('%s', (_, text) => {
    for (const [en, zh] of [text.summary, text.description]) {
      expect([...names(en)]).toEqual(expect.arrayContaining([...names(zh)]));
      expect(zh).toMatch(/\p{Script=Han}/u);
    }
  });
});

const labels = { alertname: 'AIDataDrift', service: 'shop', model: 'ranker', model_version: 'v1', feature_name: 'age' };

test('labels and figures are taken over', () => {
  const said = (description: string) =>
    inChinese(labels, { summary: 'age of ranker v1 (shop) drifted', description, runbook_url: 'x' });
  expect(said('Its effect size is 0.61 (threshold 0.2); its mean is 41.2, in the baseline 34.')).toEqual({
    summary: 'ranker v1（shop）的 age 发生漂移',
    description: '其效应量为 0.61（阈值 0.2）；其均值为 41.2，基线中为 34。',
    runbook_url: 'x',
  });
  expect(said('Its effect size is 0.61.').description).toBe('其效应量为 0.61。');
  expect(said('Its effect size is 0.61 (threshold 0.2).').description).toBe('其效应量为 0.61（阈值 0.2）。');
});

test('what has no version', () => {
  const alert = { alertname: 'AIServiceErrors', service: 'shop', model: 'ranker' };
  const end =
    'That is more than its baseline or its limit allows. GET /ai/v1/models/ranker/versions/- says which errors.';
  expect(inChinese(alert, { description: end }).description).toBe(
    '这超出其基线或限值所允许的程度。GET /ai/v1/models/ranker/versions/- 说明是哪些错误。',
  );
  expect(inChinese(alert, { summary: 'shop fails more: ranker ' }).summary).toBe('shop 失败增多：ranker');
});

test('kinds of findings have names', () => {
  const alert = {
    alertname: 'AIDataFinding',
    service: 'shop',
    model: 'ranker',
    model_version: 'v1',
    kind: 'constant_input',
  };
  expect(
    inChinese(alert, {
      description:
        'constant_input is 12 values, the threshold is 0. GET /ai/v1/models/ranker/versions/v1 says it in a sentence.',
    }).description,
  ).toMatch(/为 12，阈值为 0。/);
  expect(inChinese(alert, { summary: 'constant_input of ranker v1 (shop)' }).summary).toBe(
    'ranker v1（shop）：输入恒定不变',
  );
  const annotations = {
    summary: 'constant_input of ranker v1 (shop)',
    description:
      'constant_input is 12 values, the threshold is 0. GET /ai/v1/models/ranker/versions/v1 says it in a sentence.',
  };
  expect(inWords(alert, annotations, 'en')).toEqual({
    summary: 'ranker v1 (shop): Constant input',
    description:
      'Constant input: 12 values, the threshold is 0. GET /ai/v1/models/ranker/versions/v1 says it in a sentence.',
  });
  const drifted = { summary: 'age of ranker v1 (shop) drifted' };
  expect(inWords(labels, drifted, 'en')).toEqual(drifted);
});

test('braces and the same label twice', () => {
  const said = inChinese(
    { alertname: 'AILogErrors', service: 'a.b' },
    {
      description:
        'a.b logged 12 error lines in the last minute, more than three times what is usual for it. Search for {job="a.b"} |~ "(?i)error|fatal|panic|critical" (or by the label that names the service) to read them; the patterns of the same selector sum them up.',
    },
  );
  expect(said.description).toContain('a.b 在最近一分钟记录了 12 行错误');
  expect(said.description).toContain('{job="a.b"} |~ "(?i)error|fatal|panic|critical"');
});

test('what another rule has written stays as it is', () => {
  for (const annotations of [
    { summary: 'Mine: age drifted', description: 'Look here.' },
    { summary: 'income of ranker v1 (shop) drifted' },
    {},
  ])
    expect(inChinese(labels, annotations as Labels)).toEqual(annotations);
  expect(inChinese({ alertname: 'Mine' }, { summary: 'a' })).toEqual({ summary: 'a' });
  expect(inChinese({ alertname: 'toString' }, { summary: 'a' })).toEqual({ summary: 'a' });
});
