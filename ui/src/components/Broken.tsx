import { Button, Code, Stack, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { Link, useRouteError } from 'react-router';
import { askText } from '../api/client';
import { useWords } from '../lib/words';
import { stateWords } from './words';

/** Broken is shown where a page's code fails, or cannot be loaded: after an update its parts are gone, or nobody answers. */
export function Broken() {
  const error = useRouteError();
  const t = useWords(stateWords);
  const text = error instanceof Error ? error.message : String(error);
  const missing = /dynamically imported module|module script failed|Failed to fetch dynamically/i.test(text);
  // Whether the server is there decides what the missing part means; when it is back, the page loads itself.
  const server = useQuery({
    queryKey: ['healthy'],
    queryFn: ({ signal }) => askText('-/healthy', { signal }),
    enabled: missing,
    retry: false,
    refetchInterval: (q) => (q.state.status === 'error' ? 2000 : false),
  });
  const gone = missing && server.isError;
  const wasGone = useRef(false);
  useEffect(() => {
    if (gone) wasGone.current = true;
    else if (wasGone.current && server.isSuccess) location.reload();
  }, [gone, server.isSuccess]);
  if (missing && server.isPending) return null;
  return (
    <Stack maw={640} mx="auto" mt="xl" p="md" align="flex-start" role="alert">
      <Title order={1}>{gone ? t.noPage : missing ? t.newVersion : t.broken}</Title>
      <Text>{gone ? t.noAnswer : missing ? t.newVersionText : t.brokenText}</Text>
      {!missing && <Code block>{text}</Code>}
      <Button onClick={() => location.reload()}>{t.reload}</Button>
    </Stack>
  );
}

export function NotFound() {
  const t = useWords(stateWords);
  return (
    <Stack maw={640} mx="auto" mt="xl" p="md" align="flex-start">
      <Title order={1}>{t.notFound}</Title>
      <Text>{t.notFoundText}</Text>
      <Button component={Link} to="/">
        {t.toOverview}
      </Button>
    </Stack>
  );
}
