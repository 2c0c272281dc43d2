import { Button, Modal, Stack } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { readLines } from '../../api/loki';
import { ErrorBox } from '../../components/states';
import { useFormat } from '../../lib/format';
import { selector } from '../../lib/labels';
import type { LogLine } from '../../lib/lines';
import { useWords } from '../../lib/words';
import classes from './Explore.module.css';
import { exploreWords } from './words';

const size = 20;
const day = 864e5;

/** Context shows what the same stream said before and after a line, without the query's filters. */
export function Context({ line, close }: { line: LogLine | null; close: () => void }) {
  const t = useWords(exploreWords);
  const f = useFormat();
  return (
    <Modal
      opened={line !== null}
      onClose={close}
      size="xl"
      title={line && t.contextOf(f.full(line.time))}
      closeButtonProps={{ 'aria-label': t.close }}
      transitionProps={{ duration: 0 }}
    >
      {line && <Around key={line.id} line={line} />}
    </Modal>
  );
}

const plus = (nanos: string, by: bigint) => String(BigInt(nanos) + by);

function Around({ line }: { line: LogLine }) {
  const t = useWords(exploreWords);
  const f = useFormat();
  const query = selector(line.stream);
  const current = useRef<HTMLDivElement>(null);
  const before = useInfiniteQuery({
    queryKey: ['context', 'before', line.id],
    initialPageParam: line.nanos,
    queryFn: ({ pageParam, signal }) =>
      readLines(query, { start: plus(pageParam, BigInt(-day) * 1_000_000n), end: pageParam }, size, 'backward', signal),
    getNextPageParam: (last: LogLine[]) => (last.length < size ? undefined : last.at(-1)?.nanos),
    staleTime: Number.POSITIVE_INFINITY,
  });
  const after = useInfiniteQuery({
    queryKey: ['context', 'after', line.id],
    initialPageParam: line.nanos,
    queryFn: ({ pageParam, signal }) =>
      readLines(
        query,
        { start: plus(pageParam, 1n), end: plus(pageParam, BigInt(day) * 1_000_000n) },
        size,
        'forward',
        signal,
      ),
    getNextPageParam: (last: LogLine[]) => (last.length < size ? undefined : last.at(-1)?.nanos),
    staleTime: Number.POSITIVE_INFINITY,
  });
  const ready = before.isSuccess && after.isSuccess;
  useEffect(() => {
    if (ready) current.current?.scrollIntoView({ block: 'center' });
  }, [ready]);
  const all = [...(before.data?.pages.flat() ?? [])].reverse();
  const later = after.data?.pages.flat() ?? [];
  return (
    <Stack gap="xs">
      {(before.isError || after.isError) && <ErrorBox error={before.error ?? after.error} />}
      {before.hasNextPage && (
        <Button variant="default" loading={before.isFetchingNextPage} onClick={() => void before.fetchNextPage()}>
          {t.earlier}
        </Button>
      )}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard. */}
      <section className={classes.context} tabIndex={0} aria-label={t.context}>
        {[...all, line, ...later].map((l) => (
          <div
            key={l.id}
            ref={l === line ? current : undefined}
            className={classes.contextLine}
            data-level={l.level}
            aria-current={l === line}
          >
            <span className={classes.when}>{f.time(l.time)}</span>
            <span>{l.line}</span>
          </div>
        ))}
      </section>
      {after.hasNextPage && (
        <Button variant="default" loading={after.isFetchingNextPage} onClick={() => void after.fetchNextPage()}>
          {t.later}
        </Button>
      )}
    </Stack>
  );
}
