import { Button, Code, Stack, Text, Title } from '@mantine/core';
import { Link, useRouteError } from 'react-router';
import { useWords } from '../lib/words';
import { stateWords } from './words';

/** Broken is shown where a page's code fails. A tab from before an update cannot load parts that are gone. */
export function Broken() {
  const error = useRouteError();
  const t = useWords(stateWords);
  const text = error instanceof Error ? error.message : String(error);
  const updated = /dynamically imported module|module script failed|Failed to fetch dynamically/i.test(text);
  return (
    <Stack maw={640} mx="auto" mt="xl" p="md" align="flex-start" role="alert">
      <Title order={1}>{updated ? t.newVersion : t.broken}</Title>
      <Text>{updated ? t.newVersionText : t.brokenText}</Text>
      {!updated && <Code block>{text}</Code>}
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
