// Where the server is: its pages may live under a path prefix, which <base href> tells.
export const base: string = new URL('.', document.baseURI).pathname;

/** at gives the address of a path of the server, such as "api/v1/targets". */
export function at(path: string): string {
  return base + path.replace(/^\//, '');
}
