import { join } from "node:path";
import type { ConfigJson } from "../../models/config_reader.ts";
import { openSafetensors } from "../../weights/safetensors.ts";
import type { TensorSource } from "../../weights/stored_tensor.ts";

/** The folder that tests/golden/make_models.py fills. */
export const GOLDEN = join(import.meta.dirname!, "../golden/models");

/** A tiny model with what it computes. */
export interface Golden {
  readonly json: ConfigJson;
  readonly path: string;
  readonly weights: TensorSource;
  readonly io: TensorSource;
}

/** Opens the golden model `name`. */
export async function golden(name: string): Promise<Golden> {
  const folder = join(GOLDEN, name);
  const path = join(folder, "config.json");
  return {
    json: JSON.parse(await Deno.readTextFile(path)),
    path,
    weights: await openSafetensors(join(folder, "model.safetensors")),
    io: await openSafetensors(join(folder, "io.safetensors")),
  };
}
