import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { said } from './said';

test('actions of the audit log are told in Chinese', () => {
  expect(said('make the token churn service with role ingest', 'zh-CN')).toBe('创建令牌 churn service，角色 ingest');
  expect(said('revoke the token a', 'en')).toBe('revoke the token a');
  expect(said('something new', 'zh-CN')).toBe('something new');
});

test('there is a translation of all that the server says', () => {
  const dir = new URL('../../../../api/auth/', import.meta.url);
  const source = ['handlers.go', 'handlers_admin.go', 'oidc.go', 'user.go']
    .map((f) => readFileSync(new URL(f, dir), 'utf8'))
    .join('');
  const found = [
    ...source.matchAll(/(?:say\(r\.Context\(\), (?:fmt\.Sprintf\()?|Action(?:, e\.Status)?(?:: | = ))"([^"]+)"/g),
  ].map((m) => m[1] ?? '');
  expect(found.length).toBeGreaterThan(12);
  for (const text of found) {
    const action = text
      .replace('%d', '3')
      .replace(/%s/g, 'x')
      .replace(/(by|user|token|refused:|the user) $/, '$1 x');
    // What follows the name is put on by pieces.
    if (/^set for the user x$/.test(action)) {
      expect(said(`${action}: role editor`, 'zh-CN')).toMatch(/x:role editor/);
      continue;
    }
    if (/^logged in by x$/.test(action)) continue; // By one of three ways, which are in the table.
    expect(said(action, 'zh-CN'), action).not.toBe(action);
  }
});
