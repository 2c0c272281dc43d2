import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { addPattern } from './patterns';

describe('addPattern', () => {
  for (const [name, text, rest] of [
    ['nothing yet', 'global: {}\n', 'global: {}\n'],
    ['an empty file', '', ''],
    ['no end of line', 'global: {}', 'global: {}'],
    [
      'a list in lines',
      '# Mine.\nrule_files:\n  - a.yml # first\n  - "b.yml"\nscrape_configs: []\n',
      '  - "b.yml"\nscrape',
    ],
    ['lines at the edge', 'rule_files:\n- a.yml\nglobal: {}\n', '- a.yml\n'],
    ['the last line', 'rule_files:\n    - a.yml', 'rule_files:'],
    ['brackets', 'rule_files: [a.yml, "b.yml"] # here\nglobal: {}\n', '# here'],
    ['empty brackets', 'rule_files: []\n', 'rule_files: ['],
    ['brackets over lines', 'rule_files: [\n  a.yml,\n]\nglobal: {}\n', 'global'],
  ] as const) {
    test(name, () => {
      const made = addPattern(text, 'rules/*.yml');
      const before = (parse(text) ?? {}) as { rule_files?: string[] };
      expect(parse(made?.text ?? '')).toEqual({ ...before, rule_files: [...(before.rule_files ?? []), 'rules/*.yml'] });
      expect(made?.text.split('\n')[(made?.line ?? 0) - 1]).toContain('rules/*.yml');
      expect(made?.text).toContain(rest.split('  - "b')[0]);
      for (const line of text.split('\n').filter((l) => l.startsWith('#'))) expect(made?.text).toContain(line);
    });
  }
  test.each(['rule_files:\n', 'rule_files: a.yml\n', 'a: [\n', '- a\n', 'rule_files: [a.yml # no\n]\n'])(
    'cannot: %j',
    (text) => {
      expect(addPattern(text, 'rules/*.yml')).toBeUndefined();
    },
  );
});
