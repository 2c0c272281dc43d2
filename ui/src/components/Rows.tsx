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

/**
 * Rows is a table. Long ones are virtualised with the window's own scrolling; on a narrow screen each row becomes a
 * block with its columns' titles.
 */
export function Rows<T>({ label, columns, rows, rowKey, estimate = 36, mark, short }: Props<T>) {
  const template = columns.map((c) => c.width).join(' ');
  const style = { '--columns': template } as CSSProperties;
  return (
    <div
      role="table"
      aria-label={label}
      aria-rowcount={rows.length + 1}
      className={classes.table}
      data-fit={columns.length < 4 ? 'few' : short ? 'short' : 'wide'}
      style={style}
    >
      <div role="row" className={classes.head} aria-rowindex={1}>
        {columns.map((c) => (
          <div key={c.id} role="columnheader" className={classes.title} data-align={c.align}>
            {c.title}
          </div>
        ))}
      </div>
      {rows.length > many ? (
        <Virtual columns={columns} rows={rows} rowKey={rowKey} estimate={estimate} mark={mark} />
      ) : (
        rows.map((row, i) => <Row key={rowKey(row)} columns={columns} row={row} index={i} mark={mark} />)
      )}
    </div>
  );
}

interface RowProps<T> {
  columns: Column<T>[];
  row: T;
  index: number;
  mark?: (row: T) => 'bad' | undefined;
  at?: number;
  measure?: (e: HTMLElement | null) => void;
}

/** A row is drawn again only where something of it is new: scrolling past a thousand costs those that come into view. */
const Row = memo(function Row<T>({ columns, row, index, mark, at, measure }: RowProps<T>) {
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
      {columns.map((c) => (
        <div key={c.id} role="cell" className={classes.cell} data-align={c.align}>
          <span className={classes.small} aria-hidden>
            {c.title}
          </span>
          {c.cell(row)}
        </div>
      ))}
    </div>
  );
}) as <T>(props: RowProps<T>) => ReactNode;

function Virtual<T>({ columns, rows, rowKey, estimate, mark }: Omit<Props<T>, 'label'> & { estimate: number }) {
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
          columns={columns}
          row={rows[item.index] as T}
          index={item.index}
          mark={mark}
          at={item.start - margin}
          measure={virtual.measureElement}
        />
      ))}
    </div>
  );
}
