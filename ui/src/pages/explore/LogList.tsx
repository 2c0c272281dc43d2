import { useVirtualizer } from '@tanstack/react-virtual';
import { type KeyboardEvent, memo, useCallback, useEffect, useRef, useState } from 'react';
import { useFormat } from '../../lib/format';
import { headline, type LogLine } from '../../lib/lines';
import { useWords } from '../../lib/words';
import classes from './Explore.module.css';
import { type FieldFilter, LineDetail } from './LineDetail';
import type { State } from './state';
import { exploreWords } from './words';

interface Props {
  lines: LogLine[];
  as: State['as'];
  onFilter: (f: FieldFilter) => void;
  onContext: (l: LogLine) => void;
  /** Told when the reader is looking at older lines or at one line's details. */
  onReading?: (reading: boolean) => void;
}

const height = 20;

/** LogList draws only the lines that can be seen. */
export function LogList({ lines, as, onFilter, onContext, onReading }: Props) {
  const t = useWords(exploreWords);
  const f = useFormat();
  const box = useRef<HTMLElement>(null);
  const [open, setOpen] = useState<string | null>(null);
  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => box.current,
    estimateSize: () => height,
    getItemKey: useCallback((i: number) => lines[i]?.id ?? i, [lines]),
    overscan: 10,
  });
  // Heights differ only where lines wrap or one is open: measuring costs.
  const measured = as !== 'lines' || open !== null;
  // biome-ignore lint/correctness/useExhaustiveDependencies: other looks have other heights.
  useEffect(() => virtual.measure(), [as, virtual]);
  const reading = useRef(false);
  const tell = useCallback(
    (now: boolean) => {
      if (now === reading.current) return;
      reading.current = now;
      onReading?.(now);
    },
    [onReading],
  );
  const toggle = useCallback((id: string) => setOpen((old) => (old === id ? null : id)), []);
  // All lines are one stop of the Tab key; the arrows move among them.
  const move = (e: KeyboardEvent<HTMLElement>) => {
    const by = e.key === 'ArrowDown' ? 1 : e.key === 'ArrowUp' ? -1 : 0;
    const row = (e.target as HTMLElement).closest<HTMLElement>('[data-index]');
    const inDetails = row !== null && (e.target as HTMLElement).closest(`.${classes.head}`) === null;
    if (by === 0 || inDetails || e.altKey || e.ctrlKey || e.metaKey) return;
    const seen = virtual.getVirtualItems().find((v) => v.start >= (box.current?.scrollTop ?? 0));
    const next = row ? Number(row.dataset.index) + by : seen?.index;
    box.current?.querySelector<HTMLElement>(`[data-index="${next}"] > button`)?.focus();
    e.preventDefault();
  };
  useEffect(() => tell(open !== null || (box.current?.scrollTop ?? 0) > height), [open, tell]);
  return (
    <section
      ref={box}
      className={classes.list}
      data-as={as}
      aria-label={t.resultLines}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
      tabIndex={0}
      onKeyDown={move}
      onScroll={(e) => tell(open !== null || e.currentTarget.scrollTop > height)}
    >
      <div style={{ height: virtual.getTotalSize(), position: 'relative' }}>
        {virtual.getVirtualItems().map((item) => {
          const line = lines[item.index];
          if (!line) return null;
          const opened = line.id === open;
          return (
            <div
              key={item.key}
              ref={measured ? virtual.measureElement : undefined}
              data-index={item.index}
              className={classes.line}
              data-level={line.level}
              style={{ transform: `translateY(${item.start}px)` }}
            >
              <Head line={line} as={as} opened={opened} time={f.time} level={t[line.level]} onToggle={toggle} />
              {opened && <LineDetail line={line} onFilter={onFilter} onContext={onContext} />}
            </div>
          );
        })}
      </div>
    </section>
  );
}

interface HeadProps {
  line: LogLine;
  as: State['as'];
  opened: boolean;
  time: (ms: number) => string;
  level: string;
  onToggle: (id: string) => void;
}

const Head = memo(function Head({ line, as, opened, time, level, onToggle }: HeadProps) {
  return (
    <button
      type="button"
      className={classes.head}
      tabIndex={-1}
      aria-expanded={opened}
      onClick={() => {
        // Selecting text is not opening.
        if (getSelection()?.isCollapsed !== false) onToggle(line.id);
      }}
    >
      <span className={classes.when}>
        {time(line.time)}.{line.nanos.slice(-9, -6)}
      </span>
      <span className={classes.level}>{line.level === 'unknown' ? '' : level}</span>
      <span className={classes.text}>
        {as === 'json' ? pretty(line.line) : as === 'lines' ? <Said line={line.line} /> : line.line || ' '}
      </span>
    </button>
  );
});

/** Said is a line on one row: of JSON, what it says comes first. */
function Said({ line }: { line: string }) {
  const said = headline(line);
  if (!said) return line || ' ';
  return (
    <>
      {said.message} <span className={classes.rest}>{said.rest}</span>
    </>
  );
}

/** pretty writes JSON over several lines; anything else stays as it is. */
export function pretty(line: string): string {
  if (!/^\s*[[{]/.test(line)) return line;
  try {
    return JSON.stringify(JSON.parse(line), null, 2);
  } catch {
    return line;
  }
}
