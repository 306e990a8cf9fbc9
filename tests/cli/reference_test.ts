/** Whole runs of the commands against the pictures that diffusers made of the same weights. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { main } from "../../cli.ts";
import { Image } from "../../mod.ts";

interface Case {
  readonly name: string;
  readonly command?: "generate" | "interpolate";
  /** Which frame of an interpolation is compared. */
  readonly frame?: number;
  readonly model: string;
  readonly args: readonly string[];
  readonly image: string;
}

const ROOT = fileURLToPath(new URL("../golden/reference/", import.meta.url));
const { cases } = JSON.parse(Deno.readTextFileSync(join(ROOT, "cases.json"))) as { cases: Case[] };

/** Largest and mean difference of two pictures' channels, of 255. */
async function difference(a: string, b: string): Promise<{ largest: number; mean: number }> {
  const [x, y] = await Promise.all([Image.load(a), Image.load(b)]);
  assert.deepEqual([x.width, x.height], [y.width, y.height]);
  assert.equal(x.channels, y.channels);
  let largest = 0, sum = 0;
  x.data.forEach((value, i) => {
    const d = Math.abs(value - y.data[i]!);
    largest = Math.max(largest, d);
    sum += d;
  });
  return { largest, mean: sum / x.data.length };
}

/** Files of the cases are named relative to their folder. */
const located = (arg: string) =>
  /^(models|lora|embedding)\/|^(init|mask)\.png$/.test(arg) ? join(ROOT, arg) : arg;

for (const { name, command = "generate", model, args, image, frame } of cases) {
  Deno.test(`latent ${command} draws what diffusers draws: ${name}`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      const isFrame = command === "interpolate";
      const output = isFrame ? `${folder}/` : join(folder, "out.png");
      const flags = ["--model", model, ...args].map(located);
      assert.equal(await main([command, ...flags, "--output", output, "--quiet"]), 0);
      const path = isFrame ? join(folder, `frame_000${frame}.png`) : output;
      const { largest, mean } = await difference(path, join(ROOT, image));
      // A rounding more or less in float32 moves a channel by one; a wrong step moves it by tens.
      assert.ok(largest <= 2 && mean <= 0.02, `largest ${largest}, mean ${mean}`);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
