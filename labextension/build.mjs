// Bundle the run view into one ES module without imports: what anywidget sends to a front end.
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build, transformSync } from 'esbuild';
import { experiments } from '@rspack/core';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const out = here('../aml_jupyter/jupyter/static/');

/** Style sheets stand in template literals, whose text esbuild leaves as it is. */
const styles = {
  name: 'styles',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]style\.ts$/ }, ({ path }) => {
      const minified = (css) =>
        transformSync(css, { loader: 'css', minify: true, target: 'es2021' }).code.trim();
      const text = readFileSync(path, 'utf8');
      const contents = text.replace(/(?<=const STYLE = `)[^`]*/, (css) =>
        minified(css).replaceAll('\\', '\\\\'),
      );
      return { contents, loader: 'ts' };
    });
  },
};

/**
 * uPlot hangs all its ways to draw a line on itself, and asks for scales of a kind that no chart of ours has, so that none of that
 * can be left out by itself.
 */
const lines = {
  name: 'lines',
  setup({ onLoad }) {
    onLoad({ filter: /uPlot\.esm\.js$/ }, ({ path }) => {
      let contents = readFileSync(path, 'utf8');
      const without = (pattern, count, instead = '') => {
        if (contents.match(pattern)?.length !== count) {
          throw new Error(`uPlot is another one than before: ${pattern}`);
        }
        contents = contents.replace(pattern, instead);
      };
      without(/\(paths\.(?:stepped|bars|spline) +=.*/g, 3);
      without(/uPlot\.(?:rangeAsinh|assign|fmtNum) = .*/g, 3);
      without(/\b(?:sc\.)?distr == 4 +\? .*? :(?=\s)/g, 7);
      return { contents, loader: 'js' };
    });
  },
};

/** Return the names of private members that occur as nothing else anywhere, so that they can be short in the bundle. */
function privateNames() {
  const folder = here('src/view/');
  const ours = readdirSync(folder).map((name) => readFileSync(folder + name, 'utf8'));
  const text = ours.join('\n');
  const others = new Set(readFileSync(here('node_modules/uplot/dist/uPlot.esm.js'), 'utf8').match(/\w+/g));
  const declared = text.matchAll(/\bprivate (?:static )?(?:readonly )?(?:async )?(\w+)/g);
  return [...new Set([...declared].map(([, name]) => name))].filter((name) => {
    const own = text.match(
      new RegExp(`(?<![\\w.])this\\.${name}\\b|\\bprivate (?:\\w+ ){0,2}${name}\\b`, 'g'),
    );
    return !others.has(name) && own.length === text.match(new RegExp(`\\b${name}\\b`, 'g')).length;
  });
}

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
  plugins: [styles, lines],
  mangleProps: new RegExp(`^(?:_[a-z]\\w*|${privateNames().join('|')})$`),
});
// A second pass takes out what esbuild leaves: three kilobytes.
const { code } = await experiments.swc.minify(readFileSync(`${out}run_view.js`, 'utf8'), {
  module: true,
  compress: { passes: 3, ecma: 2021, keep_fargs: false, unsafe_arrows: true },
  mangle: { toplevel: true },
  format: { comments: false, ecma: 2021 },
});
writeFileSync(`${out}run_view.js`, code);
copyFileSync(here('node_modules/uplot/LICENSE'), `${out}LICENSE.uplot.txt`);
