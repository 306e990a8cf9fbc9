import { strict as assert } from "node:assert";
import { join } from "node:path";
import { guidanceEmbedding } from "../../models/guidance_embedding.ts";
import { GOLDEN } from "./golden.ts";

Deno.test("guidanceEmbedding equals diffusers' for distilled LCM models", async () => {
  const { scales, embeddings } = JSON.parse(
    await Deno.readTextFile(join(GOLDEN, "guidance_embedding.json")),
  ) as { scales: number[]; embeddings: number[][] };
  scales.forEach((scale, i) => {
    const embedding = guidanceEmbedding(scale, 16);
    embeddings[i]!.forEach((value, k) => {
      // The angle is as large as 7500: its last float32 bit is worth 5e-4.
      assert.ok(
        Math.abs(value - embedding[k]!) <= 5e-4,
        `${scale} ${k}: ${embedding[k]}, ${value}`,
      );
    });
  });
});

Deno.test("guidanceEmbedding refuses an odd width", () => {
  assert.throws(() => guidanceEmbedding(7.5, 15), RangeError);
});
