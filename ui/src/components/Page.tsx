import { Box, Group, Stack, Title } from '@mantine/core';
import { type ReactNode, useEffect } from 'react';

/** Page gives a page its title, in the tab too, its actions and its margins. */
export function Page({ title, actions, children }: { title: string; actions?: ReactNode; children?: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · modelwatch`;
  }, [title]);
  return (
    <Stack gap="sm" p={{ base: 'xs', sm: 'md' }} maw={1720}>
      <Group justify="space-between" gap="xs" mih={30}>
        <Title order={1}>{title}</Title>
        {actions && <Box>{actions}</Box>}
      </Group>
      {children}
    </Stack>
  );
}
