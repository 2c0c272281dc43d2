import { Anchor, Text } from '@mantine/core';
import { IconLayoutDashboard } from '@tabler/icons-react';
import { Link } from 'react-router';
import { Page } from '../../components/Page';
import { Empty } from '../../components/states';
import { shellWords } from '../../components/words';
import { useHref } from '../../lib/url';
import { useWords } from '../../lib/words';
import { dashboardWords } from './words';

/** Dashboards are not there yet: the page says what does their work. */
export function Component() {
  const shell = useWords(shellWords);
  const t = useWords(dashboardWords);
  const href = useHref();
  return (
    <Page title={shell.dashboards}>
      <Empty title={t.none} icon={<IconLayoutDashboard size={32} aria-hidden />}>
        <Text size="sm" c="dimmed" pb="xs">
          {t.instead}
        </Text>
        <Text size="sm" c="dimmed" pb="sm">
          {t.grafana}
        </Text>
        <Anchor component={Link} to={href('/explore')} size="sm">
          {t.explore}
        </Anchor>
      </Empty>
    </Page>
  );
}
