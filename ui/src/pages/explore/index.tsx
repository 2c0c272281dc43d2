import { Button, CopyButton, Group, SegmentedControl } from '@mantine/core';
import { IconCheck, IconLink } from '@tabler/icons-react';
import { useState } from 'react';
import { ExploreCache } from '../../api/promql';
import { Page } from '../../components/Page';
import { shellWords } from '../../components/words';
import { RangeCache } from '../../lib/matrix';
import { writeRange } from '../../lib/range';
import { useTime } from '../../lib/time';
import { useWords } from '../../lib/words';
import classes from './Explore.module.css';
import { Logs } from './Logs';
import { Metrics } from './Metrics';
import { PastQueries } from './PastQueries';
import { useAsked, type View } from './state';
import { exploreWords } from './words';

/** Explore asks anything: PromQL and LogQL, side by side on one time range. */
export function Component() {
  const shell = useWords(shellWords);
  const t = useWords(exploreWords);
  const [cache] = useState(() => new RangeCache());
  const [state, change] = useAsked();
  return (
    <ExploreCache value={cache}>
      <Page
        title={shell.explore}
        actions={
          <Group gap="xs" wrap="nowrap">
            <SegmentedControl
              aria-label={t.view}
              value={state.view}
              onChange={(v) => change({ view: v as View })}
              data={[
                { value: 'metrics', label: t.metrics },
                { value: 'logs', label: t.logs },
                { value: 'split', label: t.split },
              ]}
            />
            <PastQueries />
            <Share />
          </Group>
        }
      >
        <div className={classes.panes} data-view={state.view}>
          {state.view !== 'logs' && <Metrics />}
          {state.view !== 'metrics' && <Logs />}
        </div>
      </Page>
    </ExploreCache>
  );
}

/** Share copies an address that others can open: its range is fixed. */
function Share() {
  const t = useWords(exploreWords);
  const { from, to } = useTime();
  const url = new URL(location.href);
  writeRange(url.searchParams, { from, to });
  url.searchParams.delete('live');
  return (
    <CopyButton value={url.href}>
      {({ copied, copy }) => (
        <Button
          variant="default"
          title={t.shareHint}
          aria-label={copied ? t.shared : t.share}
          px="xs"
          onClick={copy}
          leftSection={copied ? <IconCheck size={14} aria-hidden /> : <IconLink size={14} aria-hidden />}
          classNames={{ section: classes.lone, label: classes.wide }}
        >
          {copied ? t.shared : t.share}
        </Button>
      )}
    </CopyButton>
  );
}
