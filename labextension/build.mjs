// Bundle the run view into one ES module without imports: what anywidget sends to a front end.
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build, transformSync } from 'esbuild';
import { experiments } from '@rspack/core';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const out = here('../aml_jupyter/jupyter/static/');

/** What Jupyter's pages say of themselves. */
const PAGE = new Set(['baseUrl']);

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
 * uPlot can do more than our charts ask of it, in one function that no bundler takes apart: other ways to draw a line, scales of
 * another kind, axes the other way round, several charts under one pointer, series that come and go.
 */
const lines = {
  name: 'lines',
  setup({ onLoad }) {
    onLoad({ filter: /uPlot\.esm\.js$/ }, ({ path }) => {
      let contents = readFileSync(path, 'utf8');
      const without = (pattern, count, instead = '') => {
        if (contents.match(pattern)?.length !== count) {
          throw new Error(`uPlot is another one than before: ${pattern} ${contents.match(pattern)?.length}`);
        }
        contents = contents.replace(pattern, instead);
      };
      without(/\(paths\.(?:stepped|bars|spline) +=.*/g, 3);
      without(/uPlot\.(?:assign|fmtNum|range\w+|addGap|clipGaps|fmtDate|tzDate|sync) += .*/g, 10);
      without(/\b(?:sc\.)?distr == 4 +\? .*? :(?=\s)/g, 7);
      without(/\bmode == 2\b/g, 16, 'false');
      without(/\bmode == 1\b/g, 16, 'true');
      without(/\b(?:scaleX|sx)\.ori == 0\b/g, 25, 'true');
      without(/\bscaleX\.ori == 1\b/g, 9, 'false');
      without(/\bself\.(?:add|del|set)(?:Series|Band) = \w+;/g, 6);
      without(/\bmultiValLegend = getMultiVals .*/g, 1);
      without(/\bsrc == null\b/g, 3, 'true');
      without(/\b(?:src|syncKey) != null\b/g, 3, 'false');
      without(/\be != null(?=\)\s+(?:\{\s+_l = |updateCursor\())/g, 2, 'true');
      without(/\bpubSync\((?!type).*/g, 5, '0;');
      without(/\bfunction pubSync\([\s\S]*?(?=\tfunction destroy)/g, 1);
      without(/\bevents(?:\.\w+ = .*|\["setSeries"\] = [\s\S]*?\n\t\};)/g, 5);
      without(/\b(?:sync\.unsub\(self\)|const sync = _sync\(syncKey\));/g, 2);
      return { contents, loader: 'js' };
    });
  },
};

/**
 * Return the names of members that can be short in the bundle: private ones, and those of several words (data that come from
 * elsewhere have underscores), if they are nothing else anywhere: no name of the platform's, and no text.
 */
function ownNames() {
  const folder = here('src/view/');
  const plot = readFileSync(here('node_modules/uplot/dist/uPlot.esm.js'), 'utf8');
  const ours = readdirSync(folder).map((name) => readFileSync(folder + name, 'utf8'));
  const text = ours.join('\n');
  const wordsOf = (source) => new Set(source.match(/[\w$]+/g));
  const others = wordsOf(plot);
  const declared = text.matchAll(/\bprivate (?:static )?(?:readonly )?(?:async )?(\w+)/g);
  const hidden = [...declared]
    .map(([, name]) => name)
    .filter((name) => {
      const own = text.match(
        new RegExp(`(?<![\\w.])this\\.${name}\\b|\\bprivate (?:\\w+ ){0,2}${name}\\b`, 'g'),
      );
      return !others.has(name) && own.length === text.match(new RegExp(`\\b${name}\\b`, 'g')).length;
    });
  const libs = here('node_modules/typescript/lib/');
  const platform = readdirSync(libs).filter((name) => /^lib\.(?:es|dom).*\.d\.ts$/.test(name));
  const kept = wordsOf(platform.map((name) => readFileSync(libs + name, 'utf8')).join('\n'));
  const quoted = (plot + text).matchAll(/(["'`])((?:\\.|(?!\1)[^\\\n])*)\1/g);
  for (const [, , said] of quoted) {
    wordsOf(said).forEach((word) => kept.add(word));
  }
  const long = (plot + text)
    .match(/\b[a-z]+[A-Z]\w*\b/g)
    .filter((name) => !kept.has(name) && !PAGE.has(name));
  return [...new Set([...hidden, ...long])];
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
  mangleProps: new RegExp(`^(?:_[a-z]\\w*|${ownNames().join('|')})$`),
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
