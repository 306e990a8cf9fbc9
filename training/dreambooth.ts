import type { ModelParts } from "../pipeline/model_parts.ts";
import { requireTensor } from "../models/spellings.ts";
import type { LoraNetwork } from "../weights/lora_names.ts";
import { toFloat32 } from "../weights/read.ts";
import type { StoredTensor, TensorSource } from "../weights/stored_tensor.ts";
import { type ConceptOptions, trainConcept } from "./concept.ts";
import { checkFile, placeOf, saveModelFile } from "./model_file.ts";
import { checkOutput, isFolder, saveModelFolder } from "./model_folder.ts";
import { withValues } from "./samples.ts";
import { inputName } from "./training_step.ts";
import { TrainingError } from "./training_error.ts";
import type { TrainingEvent } from "./training_run.ts";

/**
 * DreamBooth (Ruiz et al. 2023, arXiv:2208.12242): trains the whole U-Net, and the text encoder
 * where asked, and writes a new model: a folder of a folder, a single file of a single file.
 *
 * @throws {TrainingError} for options and pictures that cannot be learned from, and where `output`
 *   is there already.
 * @throws {DivergedError} when the loss is no number any more.
 */
export async function* trainDreambooth(
  options: ConceptOptions,
): AsyncGenerator<TrainingEvent, void, void> {
  yield* trainConcept("dreambooth", options, (parts, { output }) => {
    checkOutput(parts, output);
    if (options.textEncoder && parts.textEncoders.length > 1) {
      throw new TrainingError(
        "textEncoder",
        "Cannot train two whole text encoders: train a LoRA of them, or only the U-Net.",
      );
    }
    const places = new Map<string, { network: LoraNetwork; stored: StoredTensor }>();
    return {
      options: () => ({ parameter: () => true }),
      begin: async (built) => {
        const initial = new Map<string, Float32Array>();
        for (const [network, values] of built) {
          for (const name of values.map(inputName)) {
            const stored = requireTensor(weightsOf(parts, network), name);
            places.set(name, { network, stored });
            initial.set(name, await toFloat32(stored));
          }
        }
        const trained = [...places.values()].map(({ stored }) => stored);
        if (!isFolder(parts)) await checkFile(parts.path, trained);
        return { parameters: [...built.values()].flat(), initial };
      },
      changed: (values) => {
        const own = (network: LoraNetwork) =>
          withValues(
            weightsOf(parts, network),
            new Map(
              [...values].flatMap(([name, data]) => {
                const place = places.get(name)!;
                return place.network === network ? [[placeOf(place.stored), data]] : [];
              }),
            ),
          );
        const [encoder, ...others] = parts.textEncoders;
        return Promise.resolve({
          ...parts,
          unet: { ...parts.unet, weights: own("unet") },
          textEncoders: [{ ...encoder!, weights: own("text_encoder") }, ...others],
        });
      },
      save: async (values) => {
        const changed = [...values].map(([name, data]) => ({ ...places.get(name)!, data }));
        await (isFolder(parts)
          ? saveModelFolder(parts, output, changed)
          : saveModelFile(parts.path, output, changed));
        return output;
      },
      identity: {},
      rate: 5e-6,
    };
  });
}

function weightsOf(parts: ModelParts, network: LoraNetwork): TensorSource {
  return network === "unet" ? parts.unet.weights : parts.textEncoders[0]!.weights;
}
