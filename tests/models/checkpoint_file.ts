import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { type TensorSource, tensorSource } from "../../weights/stored_tensor.ts";
import { GOLDEN } from "./golden.ts";

/** Shapes by tensor name. */
export type Shapes = Record<string, number[]>;

/** Networks of a golden model, and single files. */
export type Part =
  | "unet"
  | "vae"
  | "text_encoder"
  | "text_encoder_2"
  | "single_file"
  | "controlnet"
  | "controlnet_single_file";

/** Names and shapes of a full-size model, by network and as a single file. */
export async function namesOf(
  model: "sd15" | "sd21" | "sdxl",
): Promise<Record<Part, Shapes>> {
  const bytes = await Deno.readFile(join(GOLDEN, `names_${model}.json.gz`));
  return JSON.parse(new TextDecoder().decode(gunzipSync(bytes)));
}

/** A file in half precision with those names and shapes; only what is ever read has bytes. */
export function fileOf(shapes: Shapes): TensorSource {
  return tensorSource(
    "model.safetensors",
    Object.entries(shapes).map(([name, shape]) => {
      const byteLength = 2 * shape.reduce((a, b) => a * b, 1);
      const location = name.endsWith("text_projection")
        ? { data: new Uint8Array(byteLength) }
        : { file: "/model.safetensors", offset: 0, byteLength };
      return { name, dtype: "F16" as const, shape, location };
    }),
  );
}
