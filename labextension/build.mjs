// Bundle the run view into one ES module without imports: what anywidget sends to a front end.
import { copyFileSync, mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const out = here('../aml_jupyter/jupyter/static/');

mkdirSync(out, { recursive: true });
await build({
  entryPoints: [here('src/view/index.ts')],
  outfile: `${out}run_view.js`,
  bundle: true,
  format: 'esm',
  target: 'es2021',
  minify: true,
  charset: 'utf8',
  legalComments: 'none',
  logLevel: 'warning',
});
copyFileSync(here('node_modules/uplot/LICENSE'), `${out}LICENSE.uplot.txt`);
