/** IP-Adapter FaceID, held against diffusers' picture of the same tiny model. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Image, OptionError, readFace, StableDiffusion } from "../../mod.ts";
import { main } from "../../cli.ts";
import { inTemporaryFolder } from "../weights/temporary_folder.ts";

const GOLDEN = fileURLToPath(new URL("../golden/", import.meta.url));
const MODEL = join(GOLDEN, "reference/models/sd1"), FACE = join(GOLDEN, "face_id");
const ADAPTER = join(FACE, "ip_adapter_faceid.safetensors");

function assertSame(drawn: Image, expected: Image): void {
  let largest = 0, sum = 0;
  drawn.data.forEach((value, i) => {
    const d = Math.abs(value - expected.data[i]!);
    largest = Math.max(largest, d);
    sum += d;
  });
  const mean = sum / drawn.data.length;
  assert.ok(largest <= 3 && mean <= 0.1, `largest ${largest}, mean ${mean}`);
}

Deno.test("latent generate draws a face's embedding by FaceID and its LoRA as diffusers does", () =>
  inTemporaryFolder(async (folder) => {
    const output = join(folder, "out.png");
    const prompt = ["a watercolour of a fox in the snow", "--negative-prompt", "text, frame"];
    const run = ["--steps", "4", "--guidance-scale", "6", "--seed", "11", "--scheduler", "ddim"];
    const size = ["-W", "64", "-H", "64", "--model", MODEL, "--quiet", "--output", output];
    const face = ["--ip-adapter", ADAPTER, "--ip-adapter-scale", "0.7"];
    for (const file of ["face.json", "face.safetensors"]) {
      const shown = ["--ip-adapter-image", join(FACE, file)];
      const code = await main(["generate", ...prompt, ...run, ...size, ...face, ...shown]);
      assert.equal(code, 0);
      assertSame(await Image.load(output), await Image.load(join(FACE, "face_id.png")));
    }
  }));

Deno.test("generate() refuses what is no face's embedding in one line", async () => {
  await using sd = await StableDiffusion.open(MODEL, { ipAdapters: [{ path: ADAPTER }] });
  const draw = (imagePrompt: object) =>
    sd.generate({ prompt: "a fox", steps: 1, width: 64, height: 64, imagePrompts: [imagePrompt] });
  await assert.rejects(draw({ face: new Float32Array(512) }), OptionError);
  await assert.rejects(draw({}), /got none, expected 16/);
  await assert.rejects(readFace(join(FACE, "case.json")), /it is something else; expected a JSON/);
  await assert.rejects(readFace(ADAPTER), /it has \d+ tensors/);
});
