// Write down which sources the bundles were made of; tests/structure/test_bundles.py compares.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const names = readdirSync(here, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => `${entry.parentPath}/${entry.name}`.slice(here.length).replace(/^\//, ''))
  .filter((name) => /^(src|schema)\/|^(package|package-lock|tsconfig)\.json$|^build\.mjs$/.test(name))
  .sort();
const hash = createHash('sha256');
for (const name of names) {
  hash
    .update(`${name}\n`)
    .update(readFileSync(here + name))
    .update('\n');
}
writeFileSync(`${here}../aml_jupyter/jupyter/static/sources.sha256`, `${hash.digest('hex')}\n`);
