import { Box, Group, Text, Title } from '@mantine/core';
import { type ReactNode, useId } from 'react';

interface Props {
  title?: string;
  /** One line below the title. */
  hint?: ReactNode;
  actions?: ReactNode;
  children?: ReactNode;
  /** No inner margin, for tables. */
  flush?: boolean;
}

/** Panel groups what belongs together, with its name. */
export function Panel({ title, hint, actions, children, flush }: Props) {
  const id = useId();
  return (
    <Box component="section" className="mw-panel" aria-labelledby={title ? id : undefined} miw={0}>
      {(title || actions) && (
        <Group justify="space-between" gap="xs" px="sm" pt={8} pb={flush ? 8 : 2}>
          <Box miw={0} className="mw-panel-title">
            {title && (
              <Title order={2} id={id} fz="sm">
                {title}
              </Title>
            )}
            {hint && (
              <Text size="xs" c="dimmed">
                {hint}
              </Text>
            )}
          </Box>
          {actions}
        </Group>
      )}
      <Box p={flush ? 0 : 'sm'} pt={title && !flush ? 4 : undefined} className={flush ? undefined : 'mw-inner'}>
        {children}
      </Box>
    </Box>
  );
}
