// Writes src/api/schema.gen.ts from api/openapi.yaml. It is made at each build and not kept in git, so it cannot
// drift: a page that uses what the server no longer promises fails to compile.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import openapi, { astToString } from 'openapi-typescript';

const source = new URL('../../api/openapi.yaml', import.meta.url);
const target = new URL('../src/api/schema.gen.ts', import.meta.url);

const text = existsSync(source)
  ? astToString(await openapi(source))
  : 'export interface paths {}\nexport interface components {}\nexport interface operations {}\n';
const old = existsSync(target) ? readFileSync(target, 'utf8') : '';
const made = `// Made by scripts/generate.mjs from api/openapi.yaml; do not edit.\n\n${text}`;
if (made !== old) writeFileSync(target, made);
