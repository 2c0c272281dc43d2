import { Button } from '@mantine/core';
import { IconArrowLeft } from '@tabler/icons-react';
import { Link } from 'react-router';
import { useHref } from '../../lib/url';
import { useWords } from '../../lib/words';
import { configWords } from './words';

/** Back leads to the list of files. */
export function Back() {
  const t = useWords(configWords);
  const href = useHref();
  return (
    <Button
      component={Link}
      to={href('/files')}
      variant="default"
      leftSection={<IconArrowLeft size={14} aria-hidden />}
    >
      {t.back}
    </Button>
  );
}
