import { useComputedColorScheme } from '@mantine/core';
import { useElementSize } from '@mantine/hooks';
import { type KeyboardEvent, useEffect, useId, useRef, useState } from 'react';
import type { Drift } from '../../api/models';
import type { Verdict } from '../../api/services';
import { useFormat } from '../../lib/format';
import { useWords } from '../../lib/words';
import classes from './DriftMap.module.css';
import { serviceWords } from './words';

interface Props {
  drift: Drift;
  /** Effect size from which a change may be called drift, by feature. */
  thresholds: Map<string, number>;
  chosen: string;
  choose: (feature: string) => void;
}

const rowHeight = 19;

/** How far each arrow key moves: down, right. */
const steps: Record<string, [number, number]> = {
  ArrowDown: [1, 0],
  ArrowUp: [-1, 0],
  ArrowRight: [0, 1],
  ArrowLeft: [0, -1],
};

/** Colour is the verdict, its strength the effect size in thresholds. */
const colors: Record<'light' | 'dark', Record<Verdict, [number, number, number]>> = {
  light: { none: [26, 110, 63], possible: [214, 140, 20], drift: [190, 38, 30], unknown: [120, 130, 140] },
  dark: { none: [80, 180, 125], possible: [240, 178, 84], drift: [255, 120, 110], unknown: [140, 150, 160] },
};

function alpha(verdict: Verdict, score: number | null, threshold: number): number {
  const size = Math.min(1, Math.max(0, (score ?? 0) / (3 * threshold)));
  switch (verdict) {
    case 'drift':
      return 0.55 + 0.45 * size;
    case 'possible':
      return 0.45 + 0.3 * size;
    case 'none':
      return 0.14 + 0.3 * size;
    case 'unknown':
      return 0.3;
  }
}

/** DriftMap shows every feature over time: which drifted, when, and how much. */
export function DriftMap({ drift, thresholds, chosen, choose }: Props) {
  const t = useWords(serviceWords);
  const f = useFormat();
  const scheme = useComputedColorScheme('light', { getInitialValueInEffect: false });
  const { ref, width } = useElementSize();
  const canvas = useRef<HTMLCanvasElement>(null);
  const hint = useId();
  const [at, setAt] = useState<{ x: number; y: number; row: number; column: number } | null>(null);
  const { rows, times } = drift;
  const height = rows.length * rowHeight;

  useEffect(() => {
    const c = canvas.current;
    const g = c?.getContext('2d');
    if (!c || !g || width === 0) return;
    const scale = Math.min(devicePixelRatio, 16000 / Math.max(1, height));
    c.width = width * scale;
    c.height = height * scale;
    g.scale(scale, scale);
    const w = width / Math.max(1, times.length);
    rows.forEach((r, i) => {
      const threshold = thresholds.get(r.feature) || 0.1;
      r.verdicts.forEach((verdict, j) => {
        if (!verdict) return;
        const [red, green, blue] = colors[scheme][verdict];
        g.fillStyle = `rgba(${red},${green},${blue},${alpha(verdict, r.scores[j] ?? null, threshold)})`;
        const x = j * w;
        const y = i * rowHeight + 1;
        g.fillRect(x, y, Math.max(1, w > 4 ? w - 1 : w), rowHeight - 2);
        // Verdicts are told without colour too: drift has a bar below, possible drift half a one.
        if (verdict === 'drift' || verdict === 'possible') {
          const part = verdict === 'drift' ? 1 : 0.4;
          g.fillStyle = scheme === 'dark' ? '#fff' : '#3a0b08';
          g.fillRect(x, y + rowHeight - 4, Math.max(1, (w > 4 ? w - 1 : w) * part), 2);
        }
      });
    });
  }, [rows, times, thresholds, width, height, scheme]);

  const hovered = at ? rows[at.row] : undefined;
  const drifted = rows.filter((r) => r.verdicts.includes('drift')).map((r) => r.feature);
  // The place of a cell reached by keyboard is its middle.
  const go = (row: number, column: number) =>
    setAt({ row, column, x: ((column + 0.5) / times.length) * width, y: (row + 0.5) * rowHeight });
  // All features are one stop of the Tab key; the arrows move from cell to cell.
  const move = (e: KeyboardEvent<HTMLElement>) => {
    const [down, right] = steps[e.key] ?? [0, 0];
    if ((down === 0 && right === 0) || e.altKey || e.ctrlKey || e.metaKey) return;
    e.preventDefault();
    const here = (e.target as HTMLElement).dataset.row;
    const row = here === undefined ? 0 : Math.min(rows.length - 1, Math.max(0, Number(here) + down));
    const column = Math.min(times.length - 1, Math.max(0, (at?.column ?? times.length - 1) + right));
    e.currentTarget.querySelector<HTMLElement>(`[data-row="${row}"]`)?.focus();
    go(row, column);
  };
  const ticks = Math.max(2, Math.min(8, Math.floor(width / 120)));
  const cell = (e: React.MouseEvent) => {
    const box = e.currentTarget.getBoundingClientRect();
    return {
      x: e.clientX - box.left,
      y: e.clientY - box.top,
      column: Math.min(times.length - 1, Math.max(0, Math.floor(((e.clientX - box.left) / box.width) * times.length))),
      row: Math.min(rows.length - 1, Math.max(0, Math.floor((e.clientY - box.top) / rowHeight))),
    };
  };
  return (
    <>
      <div className={classes.legend} aria-hidden>
        {(['none', 'possible', 'drift', 'unknown'] as const).map((v) => (
          <span key={v} className={classes.key}>
            <span
              className={classes.swatch}
              style={{ background: `rgba(${colors[scheme][v].join()},${alpha(v, 0.2, 0.1)})` }}
            />
            {t[v]}
          </span>
        ))}
        <span className={classes.key}>
          <span className={classes.swatch} style={{ background: 'var(--mw-page)' }} />
          {t.noCell}
        </span>
      </div>
      <section
        className={classes.scroll}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
        tabIndex={0}
        aria-label={t.driftTitle}
        aria-describedby={hint}
        onKeyDown={move}
        onBlur={() => setAt(null)}
      >
        <span id={hint} className="mw-hidden">
          {t.driftKeys}
        </span>
        <div className={classes.grid}>
          <div>
            {rows.map((r, i) => (
              <button
                key={r.feature}
                type="button"
                tabIndex={-1}
                data-row={i}
                className={classes.feature}
                aria-pressed={r.feature === chosen}
                onClick={() => choose(r.feature === chosen ? '' : r.feature)}
                title={r.feature}
              >
                {r.feature}
              </button>
            ))}
          </div>
          <div ref={ref} className={classes.cells}>
            <canvas
              ref={canvas}
              style={{ height, width: '100%' }}
              role="img"
              aria-label={`${t.drift}: ${drifted.slice(0, 20).join(', ') || t.none}`}
              onMouseMove={(e) => setAt(cell(e))}
              onMouseLeave={() => setAt(null)}
              onClick={(e) => choose(rows[cell(e).row]?.feature ?? '')}
            />
            {at && (
              <div
                className={classes.cursor}
                style={{
                  left: (at.column / times.length) * width,
                  top: at.row * rowHeight,
                  width: Math.max(4, width / times.length),
                  height: rowHeight,
                }}
              />
            )}
            {at && hovered && (
              <div
                className={classes.tooltip}
                role="status"
                style={{
                  top: Math.max(0, Math.min(at.y + 14, height - 84)),
                  ...(at.x > width / 2 ? { right: width - at.x + 12 } : { left: at.x + 12 }),
                }}
              >
                <div className={classes.dim}>{f.full(Date.parse(times[at.column] ?? ''))}</div>
                <b>{hovered.feature}</b>
                <div>{t[hovered.verdicts[at.column] ?? 'noCell']}</div>
                {typeof hovered.scores[at.column] === 'number' && (
                  <div>
                    {t.score} {f.number(hovered.scores[at.column] as number)} · {t.pValue}{' '}
                    {f.number(hovered.p_values[at.column] ?? Number.NaN)}
                  </div>
                )}
              </div>
            )}
          </div>
        </div>
      </section>
      <div className={classes.axis} aria-hidden>
        {Array.from({ length: ticks }, (_, i) => Math.floor((i + 0.5) * (times.length / ticks))).map((column) => (
          <span key={column}>{f.minute(Date.parse(times[column] ?? ''))}</span>
        ))}
      </div>
    </>
  );
}
