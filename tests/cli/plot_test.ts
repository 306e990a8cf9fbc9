import assert from "node:assert/strict";
import { join } from "node:path";
import { UsageError } from "../../cli/flags.ts";
import { axisOf, labelsOf, plotLines } from "../../cli/plot.ts";
import { Image } from "../../mod.ts";
import { inFolder, names, run, shell, SMALL } from "./process.ts";

Deno.test("axisOf() splits at commas, or at semicolons where there are any", () => {
  assert.deepEqual(axisOf("--plot-x", "steps=10, 20"), { name: "steps", values: ["10", "20"] });
  assert.deepEqual(axisOf("--plot-x", "prompt=a, b;c=d").values, ["a, b", "c=d"]);
  for (const text of ["steps", "=1", "steps=", "output=a,b"]) {
    assert.throws(() => axisOf("--plot-x", text), UsageError, text);
  }
});

Deno.test("plotLines() goes through the plot row by row", () => {
  const x = axisOf("--plot-x", "steps=1,2"), y = axisOf("--plot-y", "karras=false,true");
  assert.deepEqual(plotLines({ x, y }).map((line) => ({ ...line })), [
    { steps: 1n, karras: false },
    { steps: 2n, karras: false },
    { steps: 1n, karras: true },
    { steps: 2n, karras: true },
  ]);
  assert.deepEqual(plotLines({ y }).length, 2);
  assert.throws(() => plotLines({ x: axisOf("--plot-x", "steps=0") }), UsageError);
});

Deno.test("labelsOf() names the flag, but lets prompts speak for themselves", () => {
  assert.deepEqual(labelsOf(axisOf("--plot-x", "steps=1,2")), ["steps 1", "steps 2"]);
  assert.deepEqual(labelsOf(axisOf("--plot-x", "prompt=a fox")), ["a fox"]);
});

Deno.test("latent generate plots two flags on a sheet, whose cells are its pictures", () =>
  inFolder(async (folder) => {
    const path = join(folder, "plot.png"), alone = join(folder, "alone.png");
    const plot = ["--plot-x", "steps=1,2", "--plot-y", "guidance-scale=1,4", "--grid", path];
    const { code, errors } = await run("generate", "a fox", ...SMALL, "--seed", "3", ...plot);
    assert.equal(code, 0, errors);
    assert.deepEqual(names(folder), ["plot.png"]);
    await run("generate", "a fox", ...SMALL, "--seed", "3", "--cfg-scale", "4", "-o", alone);
    const sheet = await Image.load(path), cell = await Image.load(alone);
    const corner = sheet.crop(sheet.width - 8 - 64, sheet.height - 8 - 64, 64, 64);
    assert.deepEqual(corner.data, cell.data);
  }));

Deno.test("latent generate keeps pictures of one seed apart, and puts them on a sheet", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(join(folder, "prompts"), "a fox\na hen\n");
    const { code, errors } = await shell(
      "latent generate $SMALL --prompts prompts --seed 1 --grid sheet.png -o one.png -q",
      folder,
    );
    assert.deepEqual([code, errors], [0, ""]);
    assert.deepEqual(names(folder), ["one-0000.png", "one-0001.png", "prompts", "sheet.png"]);
  }));

for (
  const [what, args, line] of [
    ["a plot without a sheet", ["--plot-x", "steps=1"], /need --grid FILE/],
    ["a plot of many", ["--plot-x", "steps=1", "--grid", "x.png", "--count", "2"], /no --count/],
    ["two users of standard output", ["--grid", "-", "-o", "-"], /--grid - takes standard output/],
    ["a prompt given twice", ["--prompts", "x"], /a prompt or --prompts, not both/],
  ] as const
) {
  Deno.test(`latent generate exits with 2 for ${what}`, async () => {
    const { code, errors } = await run("generate", "a fox", ...args);
    assert.equal(code, 2);
    assert.match(errors, line);
  });
}
