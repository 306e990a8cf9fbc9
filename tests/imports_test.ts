/** The house rules that can be read from the import lines. */

import assert from "node:assert/strict";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../", import.meta.url));

/** Which folders, or single files, each folder may import from, itself apart. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  ffi: [],
  graph: [],
  weights: [],
  schedulers: [],
  models: ["graph", "weights"],
  pipeline: ["deno.json", "ffi", "graph", "models", "schedulers", "weights"],
  training: ["ffi", "graph", "models", "pipeline", "schedulers", "weights"],
  explain: ["ffi", "graph", "models", "pipeline", "schedulers", "training", "weights"],
  cli: ["mod.ts", "deno.json", "explain", "training", "schedulers/edit_distance.ts"],
};

interface Import {
  readonly file: string;
  readonly specifier: string;
}

/** Every `.ts` file of a folder, if the folder is there. */
function* sources(folder: string): Generator<string> {
  let entries: Iterable<Deno.DirEntry> = [];
  try {
    entries = [...Deno.readDirSync(join(ROOT, folder))];
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory) yield* sources(path);
    else if (entry.name.endsWith(".ts")) yield path;
  }
}

function importsOf(file: string): Import[] {
  const text = Deno.readTextFileSync(join(ROOT, file));
  const pattern =
    /(?:^(?:import|export|\})[^"\n]*\bfrom |^import |\b(?:import|resolve)\()"([^"\n]+)"/gm;
  return [...text.matchAll(pattern)].map((match) => ({ file, specifier: match[1]! }));
}

/** All imports of the product's own files. */
function allImports(): Import[] {
  const files = [...Object.keys(ARROWS)].flatMap((folder) => [...sources(folder)]);
  return [...files, "cli.ts", "mod.ts"].flatMap(importsOf);
}

Deno.test("imports follow the arrows of the house", () => {
  const wrong = allImports().filter(({ file, specifier }) => {
    if (!specifier.startsWith(".")) return false;
    const target = relative(ROOT, join(ROOT, dirname(file), specifier)).split(sep);
    const home = file.split(sep)[0]!;
    const allowed = [home, ...ARROWS[home] ?? []];
    return home in ARROWS && !allowed.includes(target[0]!) && !allowed.includes(target.join("/"));
  });
  assert.deepEqual(wrong.map(({ file, specifier }) => `${file} imports ${specifier}`), []);
});

Deno.test("imports of third parties name an exact version, each package in one file", () => {
  const homes = new Map<string, Set<string>>();
  for (const { file, specifier } of allImports()) {
    if (specifier.startsWith(".") || specifier.startsWith("node:")) continue;
    const parts = /^npm:((?:@[^/]+\/)?[^@/]+)@(\d+\.\d+\.\d+)/.exec(specifier);
    assert.ok(parts, `${file} imports ${specifier}: write npm:name@1.2.3`);
    homes.set(parts[1]!, (homes.get(parts[1]!) ?? new Set()).add(file));
  }
  for (const [name, files] of homes) assert.equal(files.size, 1, `${name}: ${[...files]}`);
});
