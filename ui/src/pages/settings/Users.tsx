import { ActionIcon, Button, Group, Menu, Stack, TextInput } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconDots, IconPlus } from '@tabler/icons-react';
import { type FormEvent, useState } from 'react';
import {
  useAddUser,
  useDeleteUser,
  useEditUser,
  useLogOutUser,
  useMe,
  useUsers,
  type WithPassword,
} from '../../api/auth';
import type { Account, Role } from '../../api/session';
import { authWords } from '../../components/authWords';
import { type Column, Rows } from '../../components/Rows';
import { StatusMark } from '../../components/StatusMark';
import { Await, ErrorBox, useReason } from '../../components/states';
import { useWords } from '../../lib/words';
import { Ask, Dialog, Moment, Once, Roles, Two } from './parts';
import { settingsWords } from './words';

const roles = ['viewer', 'editor', 'admin'] as const;

/** Doing is what is under way with a user. */
type Doing =
  | { act: 'role' | 'reset' | 'disable' | 'delete'; user: Account }
  | { act: 'new' }
  | { act: 'shown'; user: WithPassword };

export default function Users() {
  const t = useWords(settingsWords);
  const query = useUsers();
  const [doing, setDoing] = useState<Doing | null>(null);
  return (
    <Stack gap="sm">
      <Group>
        <Button leftSection={<IconPlus size={14} aria-hidden />} onClick={() => setDoing({ act: 'new' })}>
          {t.newUser}
        </Button>
      </Group>
      <Await query={query} height={160}>
        {(users) => <Table users={users} onDo={setDoing} />}
      </Await>
      <Deed doing={doing} set={setDoing} />
    </Stack>
  );
}

function Table({ users, onDo }: { users: Account[]; onDo: (d: Doing) => void }) {
  const t = useWords(settingsWords);
  const names = useWords(authWords);
  const { data: me } = useMe();
  const columns: Column<Account>[] = [
    {
      id: 'name',
      title: t.name,
      width: 'minmax(0, 1.4fr)',
      cell: (u) => <Two first={u.name} second={u.id === me?.user?.id && t.you} />,
    },
    {
      id: 'role',
      title: t.role,
      width: 'minmax(0, 1fr)',
      cell: (u) => <Two first={names[u.role]} second={u.source === 'oidc' && t.fromIssuer} />,
    },
    {
      id: 'state',
      title: t.state,
      width: 'minmax(0, 1.2fr)',
      cell: (u) =>
        u.disabled ? (
          <StatusMark health="unknown" word={t.disabled} />
        ) : (
          <Two first={u.mustChangePassword ? t.mustChange : t.active} />
        ),
    },
    { id: 'login', title: t.lastLogin, width: '130px', cell: (u) => <Moment at={u.lastLogin} none={t.never} /> },
    { id: 'do', title: '', width: '60px', align: 'right', cell: (u) => <Actions user={u} onDo={onDo} /> },
  ];
  return (
    <div className="mw-panel">
      <Rows label={t.users} columns={columns} rows={users} rowKey={(u) => u.id ?? u.name} estimate={44} />
    </div>
  );
}

function Actions({ user, onDo }: { user: Account; onDo: (d: Doing) => void }) {
  const t = useWords(settingsWords);
  const edit = useEditUser();
  const end = useLogOutUser();
  const own = user.source !== 'oidc';
  const reason = useReason();
  const failed = (err: Error) => notifications.show({ color: 'red', message: reason(err) });
  const id = user.id ?? '';
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon aria-label={t.actions(user.name)}>
          <IconDots size={16} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {own && <Menu.Item onClick={() => onDo({ act: 'role', user })}>{t.changeRole}</Menu.Item>}
        {own && <Menu.Item onClick={() => onDo({ act: 'reset', user })}>{t.resetPassword}</Menu.Item>}
        <Menu.Item
          onClick={() =>
            end.mutate(id, {
              onSuccess: () => notifications.show({ message: t.loggedOut(user.name) }),
              onError: failed,
            })
          }
        >
          {t.logOut}
        </Menu.Item>
        {user.disabled ? (
          <Menu.Item
            onClick={() =>
              edit.mutate(
                { id, disabled: false },
                { onSuccess: () => notifications.show({ message: t.enabled(user.name) }), onError: failed },
              )
            }
          >
            {t.enable}
          </Menu.Item>
        ) : (
          <Menu.Item onClick={() => onDo({ act: 'disable', user })}>{t.disable}</Menu.Item>
        )}
        <Menu.Divider />
        <Menu.Item c="var(--mw-down)" onClick={() => onDo({ act: 'delete', user })}>
          {t.delete}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

/** Deed is the dialog of what is under way. */
function Deed({ doing, set }: { doing: Doing | null; set: (d: Doing | null) => void }) {
  const t = useWords(settingsWords);
  const title = () => {
    switch (doing?.act) {
      case undefined:
        return null;
      case 'new':
        return t.newUser;
      case 'shown':
        return t.passwordOf(doing.user.name);
      case 'role':
        return t.roleOf(doing.user.name);
      case 'reset':
        return t.resetPassword;
      case 'disable':
        return t.disable;
      case 'delete':
        return t.delete;
    }
  };
  return (
    <Dialog title={title()} close={() => set(null)}>
      {doing && <Inside doing={doing} set={set} />}
    </Dialog>
  );
}

function Inside({ doing, set }: { doing: Doing; set: (d: Doing | null) => void }) {
  const t = useWords(settingsWords);
  const edit = useEditUser();
  const remove = useDeleteUser();
  const close = () => set(null);
  const finish = (message: string) => () => {
    close();
    notifications.show({ message });
  };
  const showPassword = (user: WithPassword) => set({ act: 'shown', user });
  switch (doing.act) {
    case 'new':
      return <NewUser done={showPassword} close={close} />;
    case 'shown':
      return (
        <Once
          label={t.passwordOf(doing.user.name)}
          secret={doing.user.password ?? ''}
          text={t.passwordOnce}
          close={close}
        />
      );
    case 'role':
      return <ChangeRole user={doing.user} done={finish(t.roleChanged(doing.user.name))} close={close} />;
    case 'reset':
      return (
        <Ask
          text={t.resetAsk(doing.user.name)}
          act={t.resetPassword}
          input={{ id: doing.user.id ?? '', resetPassword: true }}
          change={edit}
          done={showPassword}
          close={close}
        />
      );
    case 'disable':
      return (
        <Ask
          text={t.disableAsk(doing.user.name)}
          act={t.disable}
          input={{ id: doing.user.id ?? '', disabled: true }}
          change={edit}
          done={finish(t.isDisabled(doing.user.name))}
          close={close}
        />
      );
    case 'delete':
      return (
        <Ask
          text={t.deleteAsk(doing.user.name)}
          act={t.delete}
          input={doing.user.id ?? ''}
          change={remove}
          done={finish(t.deleted(doing.user.name))}
          close={close}
        />
      );
  }
}

function ChangeRole({ user, done, close }: { user: Account; done: () => void; close: () => void }) {
  const t = useWords(settingsWords);
  const edit = useEditUser();
  const [role, setRole] = useState<Role>(user.role);
  return (
    <Stack gap="sm">
      <Roles label={t.role} roles={roles} value={role} onChange={setRole} />
      {edit.isError && <ErrorBox error={edit.error} />}
      <Group justify="flex-end" gap="xs">
        <Button variant="default" onClick={close}>
          {t.cancel}
        </Button>
        <Button
          loading={edit.isPending}
          disabled={role === user.role}
          onClick={() => edit.mutate({ id: user.id ?? '', role }, { onSuccess: done })}
        >
          {t.save}
        </Button>
      </Group>
    </Stack>
  );
}

function NewUser({ done, close }: { done: (u: WithPassword) => void; close: () => void }) {
  const t = useWords(settingsWords);
  const add = useAddUser();
  const [name, setName] = useState('');
  const [role, setRole] = useState<Role>('viewer');
  const submit = (e: FormEvent) => {
    e.preventDefault();
    add.mutate({ name: name.trim(), role }, { onSuccess: done });
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="sm">
        <TextInput
          label={t.name}
          value={name}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          data-autofocus
          required
          withAsterisk={false}
          onChange={(e) => setName(e.currentTarget.value)}
        />
        <Roles label={t.role} roles={roles} value={role} onChange={setRole} />
        {add.isError && <ErrorBox error={add.error} />}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={close}>
            {t.cancel}
          </Button>
          <Button type="submit" loading={add.isPending}>
            {t.create}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
