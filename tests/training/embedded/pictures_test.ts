import assert from "node:assert/strict";
import { TorchCpuGenerator } from "../../../schedulers/random/torch_cpu.ts";
import { caption } from "../../../training/embedded/captions.ts";
import { distanceToOutside } from "../../../training/embedded/distance.ts";
import { draw, drawTraits, SIDE, type Traits } from "../../../training/embedded/drawing.ts";
import { fieldsOf } from "../../../training/embedded/fields.ts";
import { BACKGROUNDS, COLORS, INKS } from "../../../training/embedded/palette.ts";
import { smallDigits } from "./small_digits.ts";
import { tokenizerFiles, trainMerges } from "../../../training/embedded/vocabulary.ts";

const DIGITS = new URL("../../../assets/digits/", import.meta.url);

Deno.test("trainMerges learns the embedded model's vocabulary from the captions' words", async () => {
  const files = tokenizerFiles(trainMerges(), 32);
  const read = (name: string) => Deno.readTextFile(new URL(`tokenizer/${name}`, DIGITS));
  assert.equal(files["merges.txt"], await read("merges.txt"));
  assert.deepEqual(JSON.parse(files["vocab.json"]), JSON.parse(await read("vocab.json")));
});

Deno.test("distanceToOutside is the Euclidean distance to the nearest cell outside", () => {
  const side = 9, random = new TorchCpuGenerator(3);
  const inside = Uint8Array.from(random.uniform(side * side), (u) => Number(u < 0.8));
  const found = distanceToOutside(inside, side);
  const places = [...inside.keys()];
  places.forEach((i) => {
    const nearest = Math.min(
      ...places.filter((k) => !inside[k]).map((k) =>
        Math.hypot(k % side - i % side, Math.floor(k / side) - Math.floor(i / side))
      ),
    );
    assert.ok(Math.abs(found[i]! - nearest) < 1e-6, `place ${i}: ${found[i]}, not ${nearest}`);
  });
});

Deno.test("draw paints the ink and the background that the traits say", () => {
  const fields = fieldsOf(smallDigits()), random = new TorchCpuGenerator(1);
  const traits = drawTraits(fields, 24, random).map((trait) => ({ ...trait, outline: false }));
  const { pictures, coverage } = draw(fields, traits, random);
  const plane = SIDE * SIDE;
  const mean = (i: number, c: number, of: (share: number) => boolean) => {
    const own = coverage.subarray(i * plane, (i + 1) * plane);
    const places = [...own.keys()].filter((k) => of(own[k]!));
    assert.ok(places.length > 10, `picture ${i} has ${places.length} such pixels`);
    return places.reduce((sum, k) => sum + pictures[(3 * i + c) * plane + k]!, 0) / places.length;
  };
  traits.forEach((trait, i) => {
    for (let c = 0; c < 3; c++) {
      const ink = (mean(i, c, (share) => share === 1) + 1) * 127.5;
      const back = (mean(i, c, (share) => share === 0) + 1) * 127.5;
      assert.ok(Math.abs(ink - INKS[trait.ink]![c]!) < 25, `ink of picture ${i}: ${ink}`);
      assert.ok(Math.abs(back - BACKGROUNDS[trait.background]![c]!) < 30, `picture ${i}: ${back}`);
    }
  });
});

Deno.test("draw is decided by the generator's seed", () => {
  const fields = fieldsOf(smallDigits());
  const once = (seed: number) => {
    const random = new TorchCpuGenerator(seed);
    return draw(fields, drawTraits(fields, 4, random), random).pictures;
  };
  assert.deepEqual(once(5), once(5));
  assert.notDeepEqual(once(5), once(6));
});

Deno.test("caption says what it reports, and never teal or an outline", () => {
  const random = new TorchCpuGenerator(2);
  const traits: Traits = {
    digit: 7,
    ink: 2,
    background: 4,
    stroke: 0,
    slant: 2,
    size: 0,
    outline: false,
    field: 0,
  };
  for (let i = 0; i < 300; i++) {
    const { text, said } = caption(traits, random, { rich: 0.6 });
    assert.equal(/\b(seven|7)\b/.test(text), said.digit === 7, text);
    assert.equal(text.includes(COLORS[2]), said.ink === 2, text);
    assert.equal(text.includes(COLORS[4]), said.background === 4, text);
    assert.equal(text.includes("thin"), said.stroke === 0, text);
    assert.equal(text.includes("leaning right"), said.slant === 2, text);
    assert.equal(text.includes("small"), said.size === 0, text);
  }
  for (let i = 0; i < 100; i++) {
    const { text, said } = caption({ ...traits, ink: 8, outline: true }, random, { rich: 1 });
    assert.ok(!/teal|outline/.test(text) && said.ink === undefined && said.stroke === undefined);
  }
});
