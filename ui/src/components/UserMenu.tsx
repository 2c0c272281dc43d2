import { ActionIcon, Menu, Text } from '@mantine/core';
import { IconHistory, IconKey, IconLogout, IconUser, IconUserCog, IconUsers } from '@tabler/icons-react';
import { useEffect } from 'react';
import { Link, useNavigate } from 'react-router';
import { logout, useMe } from '../api/auth';
import { toLogin } from '../api/session';
import { at } from '../lib/base';
import { type Command, useCommands } from '../lib/commands';
import { useHref } from '../lib/url';
import { useWords } from '../lib/words';
import { authWords } from './authWords';
import { shellWords } from './words';

/** UserMenu is who is logged in and what concerns that; nothing where authentication is off. */
export function UserMenu() {
  const t = useWords(authWords);
  const shell = useWords(shellWords);
  const href = useHref();
  const navigate = useNavigate();
  const { data: me } = useMe();
  const user = me?.authEnabled ? me.user : undefined;
  useEffect(() => {
    if (me?.authEnabled && me.mustChangePassword) toLogin('change');
    else if (me?.authEnabled && !me.user) toLogin('expired');
  }, [me]);
  const leave = () =>
    void logout()
      .catch(() => {}) // Then the session is over already, or will be asked for again.
      .finally(() => location.assign(at('login')));
  const places = [
    { id: 'yourAccount', path: '/settings', icon: IconUserCog, admin: false },
    { id: 'users', path: '/settings/users', icon: IconUsers, admin: true },
    { id: 'tokens', path: '/settings/tokens', icon: IconKey, admin: true },
    { id: 'audit', path: '/settings/audit', icon: IconHistory, admin: true },
  ] as const;
  const shown = user ? places.filter((p) => !p.admin || me?.role === 'admin') : [];
  const list: Command[] = shown.map((p) => ({
    id: `settings-${p.id}`,
    title: t[p.id],
    group: shell.go,
    run: () => void navigate(href(p.path)),
  }));
  if (user) list.push({ id: 'log-out', title: t.logOut, group: shell.doIt, run: leave });
  useCommands(list);
  if (!user || !me?.role) return null;
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon size="lg" aria-label={t.account} title={`${user.name} (${t[me.role]})`}>
          <IconUser size={16} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          <Text size="sm" fw={600} c="var(--mantine-color-text)" className="mw-wrap" maw={220}>
            {user.name}
          </Text>
          {t[me.role]}
        </Menu.Label>
        <Menu.Divider />
        {shown.map((p) => (
          <Menu.Item key={p.id} component={Link} to={href(p.path)} leftSection={<p.icon size={15} aria-hidden />}>
            {t[p.id]}
          </Menu.Item>
        ))}
        {me.kind === 'session' && (
          <>
            <Menu.Divider />
            <Menu.Item leftSection={<IconLogout size={15} aria-hidden />} onClick={leave}>
              {t.logOut}
            </Menu.Item>
          </>
        )}
      </Menu.Dropdown>
    </Menu>
  );
}
