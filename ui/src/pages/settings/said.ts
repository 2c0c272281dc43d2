// What the audit log says was done, in the reader's language. The server writes English; what has no translation stays.
import type { Locale } from '../../lib/words';

const zh: [RegExp, (...parts: string[]) => string][] = [
  [/^logged in by password$/, () => '以密码登录'],
  [/^logged in by oidc$/, () => '通过 OpenID Connect 登录'],
  [/^logged in by new password$/, () => '以新密码登录'],
  [/^logged out$/, () => '退出登录'],
  [/^log-in refused$/, () => '登录被拒绝'],
  [/^log-in by OpenID Connect refused: (.*)$/, (why) => `OpenID Connect 登录被拒绝：${why}`],
  [/^change the own password$/, () => '修改自己的密码'],
  [/^end (\d+) other sessions of one's own$/, (n) => `结束自己的其他 ${n} 个会话`],
  [/^end a session of one's own$/, () => '结束自己的一个会话'],
  [/^make the user (.*) with role (.*)$/, (name, role) => `创建用户 ${name}，角色 ${role}`],
  [/^set for the user (.*): (.*)$/, (name, what) => `修改用户 ${name}:${what}`],
  [/^delete the user (.*)$/, (name) => `删除用户 ${name}`],
  [/^end (?:(\d+)|the) sessions of the user (.*)$/, (n, name) => `结束用户 ${name} 的${n ? ` ${n} 个` : '全部'}会话`],
  [/^make the token (.*) with role (.*)$/, (name, role) => `创建令牌 ${name}，角色 ${role}`],
  [/^revoke the token (.*)$/, (name) => `撤销令牌 ${name}`],
  [/^set a new password of the user admin$/, () => '为用户 admin 设置新密码'],
];

/** said is an action of the log for people. */
export function said(action: string, locale: Locale): string {
  if (locale !== 'zh-CN') return action;
  for (const [pattern, write] of zh) {
    const found = pattern.exec(action);
    if (found) return write(...found.slice(1));
  }
  return action;
}
