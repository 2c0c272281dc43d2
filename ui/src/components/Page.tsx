import { Box, Group, Stack, Title } from '@mantine/core';
import { type ReactNode, useEffect } from 'react';

interface Props {
  title: string;
  /** Beside the title, such as a state. */
  mark?: ReactNode;
  actions?: ReactNode;
  children?: ReactNode;
}

/** Page gives a page its title, in the tab too, its actions and its margins. */
export function Page({ title, mark, actions, children }: Props) {
  useEffect(() => {
    document.title = `${title} · modelwatch`;
  }, [title]);
  return (
    <Stack gap="sm" p={{ base: 'xs', sm: 'md' }} maw={1720}>
      <Group justify="space-between" gap="xs" mih={30}>
        <Group gap="sm" align="center" miw={0} maw="100%">
          <Title order={1} className="mw-wrap">
            {title}
          </Title>
          {mark}
        </Group>
        {actions && <Box>{actions}</Box>}
      </Group>
      {children}
    </Stack>
  );
}
