import { words } from '../lib/words';

export const passwordWords = words(
  {
    current: 'Current password',
    next: 'New password',
    repeat: 'New password again',
    least: (n: string) => `At least ${n} characters: a few words will do.`,
    tooShort: (n: string) => `It has fewer than ${n} characters.`,
    differ: 'The two are not the same.',
    same: 'It is the password that you have.',
  },
  {
    current: '当前密码',
    next: '新密码',
    repeat: '再次输入新密码',
    least: (n: string) => `至少 ${n} 个字符：几个词即可。`,
    tooShort: (n: string) => `不足 ${n} 个字符。`,
    differ: '两次输入不一致。',
    same: '与当前密码相同。',
  },
);
