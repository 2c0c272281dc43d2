import { words } from '../lib/words';

/** Words about users that stand around every page. */
export const authWords = words(
  {
    viewer: 'viewer',
    editor: 'editor',
    admin: 'admin',
    ingest: 'ingest',
    needs: (need: string, has: string) => `This needs the role ${need}; yours is ${has}. Ask an admin.`,
    account: 'User menu',
    yourAccount: 'Password and sessions',
    users: 'Users',
    tokens: 'API tokens',
    audit: 'Audit log',
    logOut: 'Log out',
    settings: 'Settings',
    open: 'Authentication is off: whoever reaches this address may do everything.',
    openHow: 'Turn it on with web.auth.enabled in modelwatch.yml.',
    on: (name: string, role: string) => `Authentication is on. You are ${name}, with the role ${role}.`,
  },
  {
    viewer: '查看者',
    editor: '编辑者',
    admin: '管理员',
    ingest: '写入者',
    needs: (need: string, has: string) => `此操作需要“${need}”角色；您的角色是“${has}”。请联系管理员。`,
    account: '用户菜单',
    yourAccount: '密码与会话',
    users: '用户',
    tokens: 'API 令牌',
    audit: '审计日志',
    logOut: '退出登录',
    settings: '设置',
    open: '认证已关闭：能访问此地址的人可以做任何事。',
    openHow: '在 modelwatch.yml 中设置 web.auth.enabled 即可启用。',
    on: (name: string, role: string) => `认证已启用。您是 ${name}，角色为“${role}”。`,
  },
);
