// Fails where the JavaScript that the first page needs exceeds the budget. Counted is what the browser must have
// before it can show anything: the entry and all that it imports statically, gzipped as the server sends it.
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const budget = 350 * 1024;
const dist = new URL('../dist/', import.meta.url);
const manifest = JSON.parse(readFileSync(new URL('.vite/manifest.json', dist), 'utf8'));
const size = (file) => gzipSync(readFileSync(new URL(file, dist)), { level: 9 }).length;
const kB = (bytes) => `${(bytes / 1024).toFixed(1)} kB`;

function closure(key, seen = new Set()) {
  if (!seen.has(key)) {
    seen.add(key);
    for (const next of manifest[key].imports ?? []) closure(next, seen);
  }
  return seen;
}

const entry = Object.keys(manifest).find((key) => manifest[key].isEntry);
const first = closure(entry);
let initial = 0;
for (const key of first) initial += size(manifest[key].file);
console.log(`initial JavaScript  ${kB(initial)} gzip of ${kB(budget)}`);
for (const file of manifest[entry].css ?? []) console.log(`initial CSS         ${kB(size(file))} gzip`);
for (const key of Object.keys(manifest).filter((key) => manifest[key].isDynamicEntry)) {
  let own = 0;
  for (const part of closure(key)) if (!first.has(part)) own += size(manifest[part].file);
  console.log(`${manifest[key].name.padEnd(18)}  ${kB(own)} gzip, lazy`);
}
if (initial > budget) {
  console.error(`initial JavaScript is ${kB(initial - budget)} over its budget: load something lazily`);
  process.exit(1);
}
