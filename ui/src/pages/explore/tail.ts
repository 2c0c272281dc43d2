// The live tail: new lines over a WebSocket, drawn at most once a frame, in a buffer that never grows beyond its bound.
import { useEffect, useRef, useState } from 'react';
import { tailAddress } from '../../api/loki';
import { type LogLine, type RawStream, toLines } from '../../lib/lines';

/** kept is how many lines the page holds. */
export const kept = 2000;

/** TailBuffer collects lines between frames. */
export class TailBuffer {
  private waiting: LogLine[] = [];
  private lines: LogLine[] = [];
  private readonly limit: number;
  /** Lines that came since the buffer was made. */
  total = 0;

  constructor(limit = kept) {
    this.limit = limit;
  }

  /** push takes lines that came together, newest first. */
  push(lines: LogLine[]): void {
    this.total += lines.length;
    this.waiting = lines.concat(this.waiting);
    // Where no frame is drawn, as in a hidden tab, what waits must not grow either.
    if (this.waiting.length > this.limit) this.waiting.length = this.limit;
  }

  /** flush is all lines kept, newest first; the same list where nothing came. */
  flush(): LogLine[] {
    if (this.waiting.length === 0) return this.lines;
    this.lines = this.waiting.concat(this.lines.slice(0, Math.max(0, this.limit - this.waiting.length)));
    this.waiting = [];
    return this.lines;
  }
}

export interface Tail {
  lines: LogLine[];
  total: number;
  state: 'connecting' | 'open' | 'lost';
}

const nothing: Tail = { lines: [], total: 0, state: 'connecting' };

/** useTail follows a query while on. A tail that ends is begun again, ever more slowly. */
export function useTail(query: string, on: boolean): Tail {
  const [tail, setTail] = useState<Tail>(nothing);
  const retry = useRef(0);
  useEffect(() => {
    if (!on || !query) return;
    const buffer = new TailBuffer();
    let state: Tail['state'] = 'connecting';
    let socket: WebSocket | undefined;
    let frame = 0;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let ended = false;
    // Lines of a moment before may come again after a new beginning.
    const recent = new Set<string>();
    const draw = () => {
      frame = 0;
      const lines = buffer.flush();
      setTail({ lines, total: buffer.total, state });
    };
    const soon = () => {
      if (frame === 0) frame = requestAnimationFrame(draw);
    };
    const open = () => {
      socket = new WebSocket(tailAddress(query));
      socket.onopen = () => {
        state = 'open';
        retry.current = 0;
        soon();
      };
      socket.onmessage = (e: MessageEvent<string>) => {
        const message = JSON.parse(e.data) as { streams?: RawStream[] };
        let lines = toLines(message.streams ?? []);
        if (recent.size) lines = lines.filter((l) => !recent.has(l.id));
        if (lines.length === 0) return;
        buffer.push(lines);
        soon();
      };
      socket.onclose = () => {
        if (ended) return;
        state = 'lost';
        for (const l of buffer.flush().slice(0, 1000)) recent.add(l.id);
        soon();
        retry.current = Math.min(retry.current + 1, 6);
        timer = setTimeout(open, 500 * 2 ** (retry.current - 1));
      };
    };
    setTail(nothing);
    open();
    return () => {
      ended = true;
      cancelAnimationFrame(frame);
      clearTimeout(timer);
      socket?.close();
    };
  }, [query, on]);
  return on ? tail : nothing;
}
