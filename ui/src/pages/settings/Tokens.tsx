import { Button, Group, Select, Stack, Text, TextInput } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconKey, IconPlus } from '@tabler/icons-react';
import { type FormEvent, useState } from 'react';
import { type Token, useAddToken, useRevokeToken, useTokens } from '../../api/auth';
import type { TokenRole } from '../../api/session';
import { authWords } from '../../components/authWords';
import { type Column, Rows } from '../../components/Rows';
import { Await, Empty, ErrorBox } from '../../components/states';
import { useWords } from '../../lib/words';
import { Ask, Dialog, Moment, Once, Roles, Two } from './parts';
import { settingsWords } from './words';

const roles = ['ingest', 'viewer', 'editor', 'admin'] as const;

type Doing = { act: 'new' } | { act: 'shown'; token: Token & { token: string } } | { act: 'revoke'; token: Token };

export default function Tokens() {
  const t = useWords(settingsWords);
  const query = useTokens();
  const revoke = useRevokeToken();
  const [doing, setDoing] = useState<Doing | null>(null);
  const close = () => setDoing(null);
  const title =
    doing?.act === 'new'
      ? t.newToken
      : doing?.act === 'shown'
        ? t.tokenReady(doing.token.name)
        : doing
          ? t.revoke
          : null;
  return (
    <Stack gap="sm">
      <Group>
        <Button leftSection={<IconPlus size={14} aria-hidden />} onClick={() => setDoing({ act: 'new' })}>
          {t.newToken}
        </Button>
      </Group>
      <Await query={query} height={160}>
        {(tokens) =>
          tokens.length === 0 ? (
            <Empty title={t.noTokens} icon={<IconKey size={32} />}>
              <Text size="sm" c="dimmed">
                {t.noTokensText}
              </Text>
            </Empty>
          ) : (
            <Table tokens={tokens} onRevoke={(token) => setDoing({ act: 'revoke', token })} />
          )
        }
      </Await>
      <Dialog title={title} close={close}>
        {doing?.act === 'new' && <NewToken done={(token) => setDoing({ act: 'shown', token })} close={close} />}
        {doing?.act === 'shown' && (
          <Once label={t.tokenReady(doing.token.name)} secret={doing.token.token} text={t.tokenOnce} close={close}>
            <Text size="sm">
              {t.tokenUse} <span className="mw-mono">Authorization: Bearer {doing.token.start}…</span>
            </Text>
          </Once>
        )}
        {doing?.act === 'revoke' && (
          <Ask
            text={t.revokeAsk(doing.token.name)}
            act={t.revoke}
            input={doing.token.id}
            change={revoke}
            done={() => {
              notifications.show({ message: t.revoked(doing.token.name) });
              close();
            }}
            close={close}
          />
        )}
      </Dialog>
    </Stack>
  );
}

function Table({ tokens, onRevoke }: { tokens: Token[]; onRevoke: (token: Token) => void }) {
  const t = useWords(settingsWords);
  const names = useWords(authWords);
  const columns: Column<Token>[] = [
    {
      id: 'name',
      title: t.name,
      width: 'minmax(0, 1.6fr)',
      cell: (k) => <Two first={k.name} second={<span className="mw-mono">{k.start}…</span>} />,
    },
    { id: 'role', title: t.role, width: 'minmax(0, 0.8fr)', cell: (k) => names[k.role] },
    {
      id: 'by',
      title: t.by,
      width: 'minmax(0, 1fr)',
      cell: (k) => <Two first={k.createdBy} second={<Moment at={k.created} none="" />} />,
    },
    {
      id: 'expires',
      title: t.expires,
      width: '120px',
      cell: (k) =>
        k.expired ? (
          <Text size="sm" fw={600} c="var(--mw-degraded)">
            {t.expired}
          </Text>
        ) : (
          <Moment at={k.expires} none={t.noEnd} />
        ),
    },
    { id: 'used', title: t.lastUsed, width: '120px', cell: (k) => <Moment at={k.lastUsed} none={t.never} /> },
    {
      id: 'do',
      title: '',
      width: '90px',
      align: 'right',
      cell: (k) => (
        <Button variant="default" size="compact-xs" onClick={() => onRevoke(k)}>
          {t.revoke}
        </Button>
      ),
    },
  ];
  return (
    <div className="mw-panel">
      <Rows label={t.tokens} columns={columns} rows={tokens} rowKey={(k) => k.id} estimate={44} />
    </div>
  );
}

function NewToken({ done, close }: { done: (t: Token & { token: string }) => void; close: () => void }) {
  const t = useWords(settingsWords);
  const add = useAddToken();
  const [name, setName] = useState('');
  const [role, setRole] = useState<TokenRole>('ingest');
  const [ttl, setTtl] = useState('90d');
  const submit = (e: FormEvent) => {
    e.preventDefault();
    add.mutate({ name: name.trim(), role, ttl }, { onSuccess: done });
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="sm">
        <TextInput
          label={t.tokenName}
          description={t.tokenNameHint}
          value={name}
          autoComplete="off"
          data-autofocus
          required
          withAsterisk={false}
          onChange={(e) => setName(e.currentTarget.value)}
        />
        <Roles label={t.role} roles={roles} value={role} onChange={setRole} />
        <Select
          label={t.life}
          value={ttl}
          onChange={(v) => setTtl(v ?? '90d')}
          data={[
            { value: '30d', label: t.days30 },
            { value: '90d', label: t.days90 },
            { value: '1y', label: t.year },
            { value: 'never', label: t.forever },
          ]}
        />
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
