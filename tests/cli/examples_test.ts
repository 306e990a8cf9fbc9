/** Every example of the help texts, run as it stands, in the shell that it is for. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { COMMANDS } from "../../cli/commands.ts";
import { parseFlags } from "../../cli/flags.ts";
import { toOnnx } from "../../graph/onnx_write.ts";
import { resizeNearest } from "../../graph/ops/resize.ts";
import { input } from "../../graph/value.ts";
import { Image } from "../../mod.ts";
import { inFolder, MODEL, output } from "./process.ts";

const CLI = fileURLToPath(new URL("../../cli.ts", import.meta.url));

/** Examples that are parsed alone, and why. */
const NOT_RUN: Readonly<Record<string, string>> = {
  "latent models pull": "fetches gigabytes",
  "latent models remove": "has nothing to remove",
  "pip download": "fetches from the network",
  "latent runtime remove": "has nothing to remove",
  "latent train embedded": "takes hours; its stages have tests of their own",
  "latent explain --all": "takes minutes; its topics have tests of their own",
  "latent explain guidance": "as above",
  "latent bench": "takes minutes; it has tests of its own",
  "latent explain schedulers": "as above",
};

/** Few steps are enough to see that it runs. */
const LATENT = `latent() {
  case "$1" in
    interpolate)
      "${Deno.execPath()}" run -A --no-check "${CLI}" "$@" --steps 1 --frames 2 --quiet ;;
    generate|train)
      "${Deno.execPath()}" run -A --no-check "${CLI}" "$@" --steps 2 --quiet ;;
    *) "${Deno.execPath()}" run -A --no-check "${CLI}" "$@" ;;
  esac
}
`;

/** What the examples find in their folder, and make there. */
async function furnish(folder: string): Promise<void> {
  await Deno.symlink(MODEL, join(folder, "stable-diffusion-v1-5"));
  for (const name of ["teal", "outline"]) {
    await Deno.mkdir(join(folder, name));
    const pixels = new Uint8ClampedArray(3 * 64 * 64).fill(90);
    await new Image(64, 64, pixels).save(join(folder, name, "1.png"));
  }
  const picture = input("picture", "float32", [1, 3, 64, 64]);
  const larger = resizeNearest(picture, { scales: [4, 4] });
  const { bytes } = toOnnx({ name: "upscaler", inputs: [picture], outputs: { larger } });
  await Deno.writeFile(join(folder, "realesrgan-x4.onnx"), bytes);
}

/** A picture to begin in, and a mask over it. */
async function furnishRoom(folder: string): Promise<void> {
  for (const [name, level] of [["room", 90], ["wall", 255]] as const) {
    const pixels = new Uint8ClampedArray(3 * 64 * 64).fill(level);
    await new Image(64, 64, pixels).save(join(folder, `${name}.png`));
  }
}

/** What the home of a user has, so that nothing is written outside of the folder. */
function home(folder: string): string {
  return `export DENO_DIR="$("${Deno.execPath()}" info --json | jq -r .denoDir)"
export HOME="${folder}/home" HF_HOME="${folder}/hub"
mkdir -p home/.config/fish/completions
`;
}

for (const name of Object.keys(COMMANDS)) {
  Deno.test(`latent ${name} --help has examples that run`, () =>
    inFolder(async (folder) => {
      await furnish(folder);
      if (name === "verify") await furnishRoom(folder);
      // What comes from other commands' examples.
      const before = ["metadata", "verify", "upscale", "explain"].includes(name)
        ? "latent generate 'a red seven' -o seven.png\n"
        : "";
      const door = name === "verify"
        ? "latent generate 'a door' --image room.png --mask wall.png -o door.png\n"
        : "";
      const { examples, kinds = {} } = await COMMANDS[name]!.page();
      const all = [...examples, ...Object.values(kinds).flatMap(({ page }) => page.examples)];
      const run = [...new Set(all)].filter((line) =>
        !Object.keys(NOT_RUN).some((start) => line.startsWith(start))
      );
      for (const shell of ["bash", "zsh"]) {
        const lines = run.filter((line) => /fpath/.test(line) === (shell === "zsh"));
        if (lines.length === 0) continue;
        const setting = shell === "zsh" ? "fpath=($PWD)\n" : "set -o pipefail\n";
        const script = `set -e\n${home(folder)}${setting}${LATENT}${before}${door}${
          lines.join("\n")
        }\n`;
        await output(shell, ["-c", script], folder);
      }
    }));
}

Deno.test("examples that are not run have known flags", async () => {
  for (const [name, { page }] of Object.entries(COMMANDS)) {
    const { examples, flags } = await page();
    for (const line of examples) {
      if (!Object.keys(NOT_RUN).some((start) => line.startsWith(start))) continue;
      const words = line.slice(line.indexOf("latent ")).split(" ");
      assert.equal(words[1], name);
      parseFlags(flags, words.slice(2));
    }
  }
});
