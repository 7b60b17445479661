// SPDX-License-Identifier: Apache-2.0
// Builds the page into gremsy_web/page (or the folder that is named), or with --test the logic's modules for node.
// The same sources give the same bytes: no time, no path and no source map goes into what is built.
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
process.chdir(here);
const forTest = process.argv.includes('--test');
const named = process.argv.slice(2).find((word) => !word.startsWith('--'));

if (forTest) {
  const modules = readdirSync('source/logic').map((name) => `source/logic/${name}`);
  // Each with what it imports, as their imports end in .ts.
  await build({ entryPoints: modules, outdir: 'build/logic', bundle: true, format: 'esm', target: 'es2022' });
  mkdirSync('build/test', { recursive: true });
  for (const name of readdirSync('test')) copyFileSync(join('test', name), join('build/test', name));
} else {
  const out = named ?? '../gremsy_web/page';
  mkdirSync(out, { recursive: true });
  const common = { bundle: true, minify: true, legalComments: 'none', target: 'es2022', write: false, charset: 'utf8' };
  const [script, style] = await Promise.all([
    build({ ...common, entryPoints: ['source/main.ts'], format: 'iife' }),
    build({ ...common, entryPoints: ['source/page.css'] }),
  ]);
  const javascript = script.outputFiles[0].contents;
  const css = style.outputFiles[0].contents;
  const html = readFileSync('source/index.html', 'utf8');
  const icon = readFileSync('source/icon.svg');
  // What a server says in its `hello`, so that a tab opened before an update can tell that it is old.
  const hash = createHash('sha256');
  for (const part of [javascript, css, html, icon]) hash.update(part);
  const name = hash.digest('hex').slice(0, 12);
  writeFileSync(join(out, 'page.js'), javascript);
  writeFileSync(join(out, 'page.css'), css);
  writeFileSync(join(out, 'icon.svg'), icon);
  writeFileSync(join(out, 'index.html'), html.replaceAll('{{build}}', name));
  writeFileSync(join(out, 'build.txt'), `${name}\n`);
}
