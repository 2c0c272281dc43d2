// Compresses what is in dist once, so that the server never has to, and puts back the placeholder that lets
// `go build` embed the folder before anything was built.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const dist = fileURLToPath(new URL('../dist', import.meta.url));
const compressible = new Set(['.js', '.css', '.svg', '.json', '.map', '.txt']);

const files = readdirSync(dist, { recursive: true }).map((name) => join(dist, name));
for (const file of files) {
  if (!statSync(file).isFile() || !compressible.has(extname(file))) continue;
  const data = readFileSync(file);
  if (data.length < 1024) continue;
  writeFileSync(`${file}.gz`, gzipSync(data, { level: 9 }));
  writeFileSync(
    `${file}.br`,
    brotliCompressSync(data, {
      params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: data.length },
    }),
  );
}
writeFileSync(join(dist, 'placeholder.html'), readFileSync(new URL('placeholder.html', import.meta.url)));
