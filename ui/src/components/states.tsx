// What is shown instead of data, or above data that has become old.
import { Alert, Box, Button, Group, Skeleton, Stack, Text, Title } from '@mantine/core';
import { IconAlertTriangle, IconPlugConnectedX } from '@tabler/icons-react';
import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useMe } from '../api/auth';
import { ApiError, isGone } from '../api/client';
import { useFormat } from '../lib/format';
import { useSayError } from '../lib/sayError';
import { useWords } from '../lib/words';
import { authWords } from './authWords';
import { stateWords } from './words';

export function useReason(): (error: unknown) => string {
  const t = useWords(stateWords);
  const auth = useWords(authWords);
  const { data: me } = useMe();
  const say = useSayError();
  return (error) => {
    if (error instanceof ApiError && error.status === 0) return t.noAnswer;
    if (error instanceof ApiError && error.code === 'role' && error.role)
      return auth.needs(auth[error.role], auth[me?.role ?? 'viewer']);
    return say(error instanceof Error ? error.message : String(error));
  };
}

/** ErrorBox says what failed, in the server's words, and offers to try again. */
export function ErrorBox({ error, retry, title }: { error: unknown; retry?: () => void; title?: string }) {
  const t = useWords(stateWords);
  const reason = useReason();
  return (
    <Alert color="red" variant="light" icon={<IconPlugConnectedX size={18} />} title={title ?? t.failed} role="alert">
      <Stack gap="xs" align="flex-start">
        <Text size="sm" className="mw-wrap">
          {reason(error)}
        </Text>
        {retry && (
          <Button variant="default" onClick={retry}>
            {t.retry}
          </Button>
        )}
      </Stack>
    </Alert>
  );
}

/** Empty says that there is nothing, why, and the next step to take. */
export function Empty({ title, icon, children }: { title: string; icon?: ReactNode; children?: ReactNode }) {
  return (
    <Stack align="center" gap="sm" py="xl" px="md" ta="center">
      {icon && <Box c="dimmed">{icon}</Box>}
      <Title order={2}>{title}</Title>
      {children && (
        <Box maw={720} w="100%">
          {children}
        </Box>
      )}
    </Stack>
  );
}

/** Stale is a quiet line above data that could not be read again. */
function Stale({ query }: { query: Pick<UseQueryResult, 'error' | 'dataUpdatedAt' | 'refetch'> }) {
  const t = useWords(stateWords);
  const f = useFormat();
  const reason = useReason();
  return (
    <Group gap="xs" wrap="nowrap" c="var(--mw-degraded)" role="status" p="xs">
      <IconAlertTriangle size={16} aria-hidden />
      <Text size="sm">
        {t.stale(f.time(query.dataUpdatedAt))} {reason(query.error)}
      </Text>
      <Button variant="subtle" size="compact-xs" onClick={() => void query.refetch()}>
        {t.retry}
      </Button>
    </Group>
  );
}

interface AwaitProps<T> {
  query: UseQueryResult<T>;
  /** Height of the skeleton in px, so that nothing jumps when data comes. */
  height?: number;
  children: (data: T) => ReactNode;
}

/**
 * Await shows the data of a query; a skeleton only where there is none yet, an error beside old data. That nobody answers
 * is said once for the page, by Gone.
 */
export function Await<T>({ query, height = 120, children }: AwaitProps<T>) {
  const t = useWords(stateWords);
  if (query.data !== undefined) {
    return (
      <>
        {query.isError && !isGone(query.error) && <Stale query={query} />}
        {children(query.data)}
      </>
    );
  }
  if (query.isError) return <ErrorBox error={query.error} retry={() => void query.refetch()} />;
  return (
    <Box role="status" aria-label={t.loading}>
      <Skeleton h={height} radius="sm" />
    </Box>
  );
}
