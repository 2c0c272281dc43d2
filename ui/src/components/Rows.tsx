import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { type CSSProperties, memo, type ReactNode, useLayoutEffect, useRef, useState } from 'react';
import classes from './Rows.module.css';

export interface Column<T> {
  id: string;
  title: ReactNode;
  /** As in CSS grid-template-columns. */
  width: string;
  cell: (row: T) => ReactNode;
  align?: 'right';
}

interface Props<T> {
  label: string;
  columns: Column<T>[];
  rows: T[];
  rowKey: (row: T) => string;
  /** Height of a row in px, before it is measured. */
  estimate?: number;
  /** Makes the first cell's row stand out. */
  mark?: (row: T) => 'bad' | undefined;
  /** The cells are short: it stays a table on half of a screen. */
  short?: boolean;
}

/** From how many rows on only those in view are drawn. */
const many = 80;

/** Up to which width in px a table's rows are blocks: tables of few or short columns stay tables for longer. */
const narrowest = { few: 330, short: 440, wide: 620 };

/**
 * Rows is a table. Long ones are virtualised with the window's own scrolling; on a narrow screen each row becomes a
 * block with its columns' titles.
 */
export function Rows<T>({ label, columns, rows, rowKey, estimate = 36, mark, short }: Props<T>) {
  const template = columns.map((c) => c.width).join(' ');
  const style = { '--columns': template } as CSSProperties;
  const [box, narrow] = useNarrow(narrowest[columns.length < 4 ? 'few' : short ? 'short' : 'wide']);
  const shown = { columns, mark, narrow };
  return (
    <div
      ref={box}
      role="table"
      aria-label={label}
      aria-rowcount={rows.length + 1}
      className={narrow ? `${classes.table} ${classes.narrow}` : classes.table}
      style={style}
    >
      {!narrow && (
        <div role="row" className={classes.head} aria-rowindex={1}>
          {columns.map((c) => (
            <div key={c.id} role="columnheader" className={classes.title} data-align={c.align}>
              {c.title}
            </div>
          ))}
        </div>
      )}
      {rows.length > many ? (
        <Virtual {...shown} rows={rows} rowKey={rowKey} estimate={estimate} />
      ) : (
        rows.map((row, i) => <Row key={rowKey(row)} {...shown} row={row} index={i} />)
      )}
    </div>
  );
}

/** useNarrow tells whether an element is at most so many px wide, before it is first painted. */
function useNarrow(most: number) {
  const box = useRef<HTMLDivElement>(null);
  const [narrow, setNarrow] = useState(false);
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const look = () => setNarrow(element.clientWidth <= most);
    look();
    const watch = new ResizeObserver(look);
    watch.observe(element);
    return () => watch.disconnect();
  }, [most]);
  return [box, narrow] as const;
}

interface Shown<T> {
  columns: Column<T>[];
  mark?: (row: T) => 'bad' | undefined;
  narrow: boolean;
}

interface RowProps<T> extends Shown<T> {
  row: T;
  index: number;
  at?: number;
  measure?: (e: HTMLElement | null) => void;
}

/** A row is drawn again only where something of it is new: scrolling past a thousand costs those that come into view. */
const Row = memo(function Row<T>({ columns, row, index, mark, narrow, at, measure }: RowProps<T>) {
  return (
    <div
      role="row"
      ref={measure}
      data-index={index}
      aria-rowindex={index + 2}
      className={classes.row}
      data-mark={mark?.(row)}
      style={
        at === undefined
          ? undefined
          : { position: 'absolute', top: 0, left: 0, right: 0, transform: `translateY(${at}px)` }
      }
    >
      {columns.map((c, i) => (
        <div key={c.id} role="cell" className={classes.cell} data-align={c.align}>
          {/* What a row is about needs no title. */}
          {narrow && i > 0 && (
            <span className={classes.small} aria-hidden>
              {c.title}
            </span>
          )}
          {narrow ? <div className={classes.content}>{c.cell(row)}</div> : c.cell(row)}
        </div>
      ))}
    </div>
  );
}) as <T>(props: RowProps<T>) => ReactNode;

interface VirtualProps<T> extends Shown<T> {
  rows: T[];
  rowKey: (row: T) => string;
  estimate: number;
}

function Virtual<T>({ rows, rowKey, estimate, ...shown }: VirtualProps<T>) {
  const box = useRef<HTMLDivElement>(null);
  const [margin, setMargin] = useState(0);
  useLayoutEffect(() => {
    if (box.current) setMargin(box.current.getBoundingClientRect().top + window.scrollY);
  }, []);
  const virtual = useWindowVirtualizer({
    count: rows.length,
    estimateSize: () => estimate,
    overscan: 12,
    scrollMargin: margin,
    getItemKey: (i) => rowKey(rows[i] as T),
  });
  return (
    <div ref={box} role="rowgroup" style={{ height: virtual.getTotalSize(), position: 'relative' }}>
      {virtual.getVirtualItems().map((item) => (
        <Row
          key={item.key}
          {...shown}
          row={rows[item.index] as T}
          index={item.index}
          at={item.start - margin}
          measure={virtual.measureElement}
        />
      ))}
    </div>
  );
}
