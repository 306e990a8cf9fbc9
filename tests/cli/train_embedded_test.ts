import assert from "node:assert/strict";
import { run } from "./process.ts";

for (
  const [stage, flag, said] of [
    ["latents", "batch", "--batch takes the stages pair, image, pieces, whole, decoder, denoiser"],
    [
      "unet",
      "steps",
      "--steps takes the stages pair, image, pieces, whole, decoder, latents, denoiser",
    ],
  ] as const
) {
  Deno.test(`latent train embedded refuses --${flag} of ${stage}, and names the stages`, async () => {
    const arg = `${stage}=5`;
    const { code, errors } = await run("train", "embedded", "-o", "never", `--${flag}`, arg);
    assert.equal(code, 2);
    assert.ok(errors.includes(`${said}; got "${stage}".`), errors);
  });
}
