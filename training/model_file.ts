/** A trained model as a single file: the original's tensors under its own names, and the changed ones. */
import { openWeights } from "../weights/open_weights.ts";
import { writeSafetensors } from "../weights/safetensors_write.ts";
import type { StoredTensor } from "../weights/stored_tensor.ts";
import { type ChangedTensor, updated } from "./model_folder.ts";
import { TrainingError } from "./training_error.ts";

/**
 * Where a tensor's bytes are, as text: what it is known by under any name. The parts of a single file are
 * other names for its byte ranges.
 */
export function placeOf({ name, location }: StoredTensor): string {
  return "file" in location ? `${location.offset}+${location.byteLength}` : name;
}

/**
 * Refuses what cannot be put back: a tensor that is only a part of one in the file, as the layers of
 * OpenCLIP's encoders are.
 */
export async function checkFile(path: string, trained: readonly StoredTensor[]): Promise<void> {
  const source = await openWeights(path);
  const places = new Set([...source.names()].map((name) => placeOf(source.get(name)!)));
  const lost = trained.find((tensor) => !places.has(placeOf(tensor)));
  if (lost === undefined) return;
  throw new TrainingError(
    "textEncoder",
    `Cannot train ${lost.name} of ${path}: it is a part of a larger tensor there. Give a diffusers ` +
      "folder, or train only the U-Net.",
  );
}

/**
 * Writes the file as safetensors. Weights keep their names and element types; averages of an older
 * training ("model_ema.") are left out, since they are of another model now.
 */
export async function saveModelFile(
  path: string,
  output: string,
  changed: readonly ChangedTensor[],
): Promise<void> {
  const source = await openWeights(path);
  const own = new Map(changed.map((tensor) => [placeOf(tensor.stored), tensor]));
  const names = [...source.names()].filter((name) => !name.startsWith("model_ema."));
  const tensors = names.map((name) => {
    const stored = source.get(name)!, tensor = own.get(placeOf(stored));
    return tensor ? updated({ ...tensor, stored: { ...stored, name } }) : stored;
  });
  await writeSafetensors(output, tensors, { metadata: { format: "pt" } });
}
