import { expect, test } from 'vitest';

const sources = import.meta.glob<string>(['../**/*.{ts,tsx}', '!../**/*.test.*'], {
  query: '?raw',
  import: 'default',
  eager: true,
});

test('Chinese is written with Chinese punctuation', () => {
  // A half-width mark beside a Chinese character: :;,?! after it or before it, also across a value.
  const half = /[\u4e00-\u9fff”](\$\{[^}]*\})?[:;,?!]|[:;,?!](\$\{[^}]*\})?[\u4e00-\u9fff“]/;
  const found = Object.entries(sources).flatMap(([file, text]) =>
    text
      .split('\n')
      // What stands between quotes is said; around it is code.
      .flatMap((line) => line.match(/'[^']*'|`[^`]*`|"[^"]*"/g) ?? [])
      .filter((said) => half.test(said.slice(1, -1)))
      .map((said) => `${file}: ${said}`),
  );
  expect(Object.keys(sources).length).toBeGreaterThan(50);
  expect(found).toEqual([]);
});
