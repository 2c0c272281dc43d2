// Colours of series, told apart also by those who see red and green alike.
const light = [
  '#1b6b93',
  '#c2571a',
  '#2e7d4f',
  '#8147ab',
  '#96700a',
  '#b8336a',
  '#3f5fb0',
  '#5c7a1f',
  '#7a5344',
  '#52646f',
];
const dark = [
  '#5fb3d9',
  '#f0955a',
  '#6fce97',
  '#c39be6',
  '#e0bd58',
  '#f083ab',
  '#93abef',
  '#aec96a',
  '#c9a595',
  '#a9bac4',
];

export function seriesColor(i: number, isDark: boolean): string {
  const list = isDark ? dark : light;
  return list[i % list.length] as string;
}

/** css reads a colour variable of app.css, for canvases. */
export function css(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
