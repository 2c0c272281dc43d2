// What the browser remembers between visits. It may be forbidden, and then nothing is remembered.
export function recall(key: string): string | null {
  try {
    return localStorage.getItem(`modelwatch.${key}`);
  } catch {
    return null;
  }
}

export function remember(key: string, value: string): void {
  try {
    localStorage.setItem(`modelwatch.${key}`, value);
  } catch {
    // Not remembered; the page works all the same.
  }
}
