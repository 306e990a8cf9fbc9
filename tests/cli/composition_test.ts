/** Everything that steers a picture, in one call. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type GenerateOptions, Image, type OpenOptions, StableDiffusion } from "../../mod.ts";
import { difference } from "../pipeline/difference.ts";
import { inFolder, MODEL, run } from "./process.ts";

const GOLDEN = fileURLToPath(new URL("../golden/", import.meta.url));
const LORA = join(GOLDEN, "reference/lora/kohya.safetensors");
const NET = join(GOLDEN, "reference/models/controlnet");
const PICTURE = join(GOLDEN, "pictures/rgb.png"), MASK = join(GOLDEN, "steering/mask.png");
/** More than one window of tokens, with weights. */
const PROMPT = "a (red:1.4) fox in the [snow], " + "at dawn, in the woods, ".repeat(10) +
  "(painted:0.7)";

Deno.test("LoRA, ControlNet, inpainting and a long weighted prompt compose, in both ways to ask", () =>
  inFolder(async (folder) => {
    const output = join(folder, "out.png");
    const flags = ["-m", MODEL, "--steps", "3", "--seed", "5", "--negative-prompt", "text, frame"];
    const lora = ["--lora", `${LORA}:0.7`], mask = ["--mask", MASK, "--paste-back"];
    const control = ["--controlnet", NET, "--control-image", PICTURE, "--control-scale", "0.8"];
    const paint = ["--image", PICTURE, ...mask, "--strength", "0.9"];
    const args = [PROMPT, ...flags, ...lora, ...control, ...paint, "--output", output];
    const { code, errors } = await run("generate", ...args);
    assert.equal(code, 0, errors);
    const drawn = await Image.load(output);

    const image = await Image.load(PICTURE);
    const options: GenerateOptions = {
      ...{ prompt: PROMPT, negativePrompt: "text, frame", steps: 3, seed: 5 },
      ...{ image, mask: await Image.load(MASK), pasteBack: true, strength: 0.9 },
      controls: [{ image, scale: 0.8 }],
    };
    const opened: OpenOptions = { controlNets: [NET], loras: [{ path: LORA, weight: 0.7 }] };
    await using sd = await StableDiffusion.open(MODEL, opened);
    assert.deepEqual((await sd.generate(options)).data, drawn.data);
    // The corner was not painted; what was, has a part of each that is asked for.
    const corner = (of: Image) => of.crop(0, 0, 8, 8).data;
    assert.deepEqual(corner(drawn), corner(image));
    const without: Record<string, GenerateOptions> = {
      "the ControlNet": { ...options, controls: [{ image, scale: 0 }] },
      "the weights": { ...options, prompt: PROMPT.replaceAll(/[()[\]]|:[\d.]+/g, "") },
      "the second window": { ...options, longPrompt: "truncate" },
      "the mask's edge": { ...options, maskBlur: 4 },
      "the LoRA": { ...options, loras: [{ path: LORA, weight: -0.7 }] },
    };
    for (const [what, fewer] of Object.entries(without)) {
      assert.ok(difference(await sd.generate(fewer), drawn) > 0, what);
    }
    // The same again by inputs of the networks, and by the record in the file.
    await using live = await StableDiffusion.open(MODEL, { ...opened, loraMode: "runtime" });
    assert.ok(difference(await live.generate(options), drawn) <= 1);
    const again = ["--lora", `${LORA}:0.7`, ...control, "--image", PICTURE, "--mask", MASK];
    assert.equal((await run("verify", output, ...again)).code, 0);
  }));
