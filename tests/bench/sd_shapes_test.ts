import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { randomTensors } from "../../bench/random_weights.ts";
import { FAMILIES } from "../../bench/sd_families.ts";
import { clipShapes, type NamedShape, unetShapes, vaeShapes } from "../../bench/sd_shapes.ts";

interface Digest {
  readonly count: number;
  readonly sha256: string;
}

function digest(shapes: Iterable<NamedShape>): Digest {
  const lines = Array.from(shapes, ([name, shape]) => `${name} ${shape.join()}`).sort();
  return {
    count: lines.length,
    sha256: createHash("sha256").update(lines.join("\n")).digest("hex"),
  };
}

for (const name of ["sd15", "sd21", "sdxl"] as const) {
  Deno.test(`FAMILIES.${name} has exactly the tensors of diffusers and transformers`, async () => {
    const path = join(import.meta.dirname!, "../golden/sd_shapes.json");
    const golden = JSON.parse(await Deno.readTextFile(path)) as Record<string, unknown>;
    const { unet, vae, textEncoders } = FAMILIES[name];
    const [first, second] = textEncoders;
    assert.deepEqual({
      unet: digest(unetShapes(unet)),
      vae: digest(vaeShapes(vae)),
      text_encoder: digest(clipShapes(first!.config, first!)),
      ...(second && { text_encoder_2: digest(clipShapes(second.config, second)) }),
    }, golden[name]);
  });
}

Deno.test("randomTensors gives the same distinct numbers each time, of the size it says", () => {
  const shapes: NamedShape[] = [["a.weight", [25, 400]], ["b.weight", [25, 400]]];
  const values = (dtype: "F32" | "F16") =>
    randomTensors(shapes, dtype).map((tensor) => {
      const bytes = new Uint8Array(
        [...tensor.generate() as Iterable<Uint8Array>].flatMap((b) => [...b]),
      );
      return dtype === "F16" ? new Float16Array(bytes.buffer) : new Float32Array(bytes.buffer);
    });
  const [a, b] = values("F32");
  assert.equal(a!.length, 10_000);
  assert.deepEqual(values("F32")[0], a);
  assert.notDeepEqual(a, b);
  assert.deepEqual(values("F16")[0], new Float16Array(a!));
  const deviation = Math.sqrt((a as Float32Array).reduce((sum, x) => sum + x * x, 0) / a!.length);
  assert(Math.abs(deviation * 20 - 1) < 0.04, `deviation ${deviation}, expected 1 / 20`);
});
