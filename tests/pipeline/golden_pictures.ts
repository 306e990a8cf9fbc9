/** Whole runs of `latent generate` against diffusers' pictures in a folder of goldens. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { main } from "../../cli.ts";
import { Image } from "../../mod.ts";

/** The folder that tests/golden/make_containers.py fills. */
export const CONTAINERS = fileURLToPath(new URL("../golden/containers/", import.meta.url));

interface Case {
  readonly name: string;
  readonly model: string;
  readonly args: readonly string[];
  readonly image: string;
}

const cases = ["cases.json", "onnx.json"].flatMap((file) => {
  const text = Deno.readTextFileSync(join(CONTAINERS, file));
  return (JSON.parse(text) as { cases: Case[] }).cases;
});

/** Flags whose values are files of the folder. */
const FILES = ["--vae", "--refiner", "--image"];

/** The command line of a golden case. */
export function caseArgs(name: string): string[] {
  const { model, args } = cases.find((one) => one.name === name)!;
  const located = args.map((arg, i) =>
    FILES.includes(args[i - 1] ?? "") ? join(CONTAINERS, arg) : arg
  );
  return ["--model", join(CONTAINERS, model), ...located];
}

/** Names of the cases that begin so. */
export function caseNames(pattern: RegExp): string[] {
  return cases.map(({ name }) => name).filter((name) => pattern.test(name));
}

/** Draws a golden case and asserts that it is diffusers' picture. */
export async function assertDrawnAs(name: string, extra: readonly string[] = []): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const output = join(folder, "out.png");
    const args = ["generate", ...caseArgs(name), ...extra, "--output", output, "--quiet"];
    assert.equal(await main(args), 0);
    const { image } = cases.find((one) => one.name === name)!;
    await assertSame(output, join(CONTAINERS, image));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Asserts that two pictures are the same but for roundings. */
export async function assertSame(a: string, b: string, most = 2): Promise<void> {
  const [x, y] = [(await Image.load(a)).withoutAlpha(), (await Image.load(b)).withoutAlpha()];
  assert.deepEqual([x.width, x.height], [y.width, y.height]);
  let largest = 0, sum = 0;
  x.data.forEach((value, i) => {
    const d = Math.abs(value - y.data[i]!);
    largest = Math.max(largest, d);
    sum += d;
  });
  const mean = sum / x.data.length;
  // A rounding more or less in float32 moves a channel by one; a wrong step moves it by tens.
  assert.ok(largest <= most && mean <= 0.02 * most, `largest ${largest}, mean ${mean}`);
}
