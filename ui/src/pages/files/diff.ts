// The difference of two texts, line by line.
export interface Line {
  kind: 'same' | 'out' | 'in';
  text: string;
  /** Line numbers in both texts, from 1. */
  before?: number;
  after?: number;
}

/** An empty text has no line. */
function linesOf(text: string): string[] {
  return text === '' ? [] : text.split('\n');
}

/** diff finds a shortest way from one text to the other. Very long differences are told as all out, all in. */
export function diff(a: string, b: string): Line[] {
  const x = linesOf(a);
  const y = linesOf(b);
  let start = 0;
  while (start < x.length && start < y.length && x[start] === y[start]) start++;
  let end = 0;
  while (end < x.length - start && end < y.length - start && x[x.length - 1 - end] === y[y.length - 1 - end]) end++;
  const out: Line[] = [];
  const same = (i: number, j: number) => out.push({ kind: 'same', text: x[i] as string, before: i + 1, after: j + 1 });
  for (let i = 0; i < start; i++) same(i, i);
  const left = x.slice(start, x.length - end);
  const right = y.slice(start, y.length - end);
  for (const [kind, i, j] of middle(left, right)) {
    if (kind === 'same') same(start + i, start + j);
    else if (kind === 'out') out.push({ kind, text: left[i] as string, before: start + i + 1 });
    else out.push({ kind, text: right[j] as string, after: start + j + 1 });
  }
  for (let k = end; k > 0; k--) same(x.length - k, y.length - k);
  return out;
}

type Step = ['same' | 'out' | 'in', number, number];

function middle(x: string[], y: string[]): Step[] {
  const out: Step[] = [];
  if (x.length * y.length > 4_000_000) {
    x.forEach((_, i) => void out.push(['out', i, 0]));
    y.forEach((_, j) => void out.push(['in', 0, j]));
    return out;
  }
  // longest[i][j] is the length of the longest common part of what is left from i and j on.
  const width = y.length + 1;
  const longest = new Uint32Array((x.length + 1) * width);
  for (let i = x.length - 1; i >= 0; i--) {
    for (let j = y.length - 1; j >= 0; j--) {
      longest[i * width + j] =
        x[i] === y[j]
          ? (longest[(i + 1) * width + j + 1] as number) + 1
          : Math.max(longest[(i + 1) * width + j] as number, longest[i * width + j + 1] as number);
    }
  }
  let i = 0;
  let j = 0;
  while (i < x.length || j < y.length) {
    if (i < x.length && j < y.length && x[i] === y[j]) out.push(['same', i++, j++]);
    else if (
      j >= y.length ||
      (i < x.length && (longest[(i + 1) * width + j] as number) >= (longest[i * width + j + 1] as number))
    )
      out.push(['out', i++, j]);
    else out.push(['in', i, j++]);
  }
  return out;
}

/** fold leaves out what is far from any change; a number is how many lines were left out. */
export function fold(lines: Line[], around = 3): (Line | number)[] {
  const near = lines.map(() => false);
  lines.forEach((l, i) => {
    if (l.kind === 'same') return;
    for (let k = Math.max(0, i - around); k <= Math.min(lines.length - 1, i + around); k++) near[k] = true;
  });
  const out: (Line | number)[] = [];
  lines.forEach((l, i) => {
    if (near[i]) out.push(l);
    else if (typeof out[out.length - 1] === 'number') out[out.length - 1] = (out[out.length - 1] as number) + 1;
    else out.push(1);
  });
  return out;
}
