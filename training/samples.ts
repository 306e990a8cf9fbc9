/** Pictures drawn on the way by the model that is being trained. */
import type { LearnedTokens } from "../pipeline/embeddings.ts";
import type { Image } from "../pipeline/image.ts";
import type { ModelParts } from "../pipeline/model_parts.ts";
import { tensorInMemory, type TensorSource } from "../weights/stored_tensor.ts";
import type { Example } from "./examples.ts";
import { placeOf } from "./model_file.ts";
import { pipelineOf, type RunSettings } from "./run_options.ts";
import { pixelsOf, type TrainingShape } from "./text_graph.ts";

/** A picture with what it was asked for. */
export interface Sample {
  readonly prompt: string;
  readonly image: Image;
}

/** The model as it is at some moment of the training. */
export interface Snapshot {
  readonly parts: ModelParts;
  /** Words that it has learned, by text encoder. */
  readonly learned?: readonly LearnedTokens[];
}

/** Draws the samples of a run with the model as it is now. */
export type Sampler = () => Promise<readonly Sample[]>;

/** What samples are drawn of. */
export interface SampleSource {
  readonly settings: RunSettings;
  readonly shape: TrainingShape;
  /** Whose first prompt is drawn where none is asked for. */
  readonly examples: readonly Example[];
  readonly snapshot: () => Promise<Snapshot>;
}

/**
 * The sampler of a run, or undefined where it asks for no samples. All samples of a prompt begin
 * with the same noise, the run's seed, so that what changes is the model's doing.
 */
export function samplerOf(
  { settings, shape, examples, snapshot }: SampleSource,
): Sampler | undefined {
  const { sampleEvery, seed, signal } = settings;
  if (sampleEvery === undefined) return undefined;
  const prompts = settings.samplePrompts ?? [examples[0]!.prompts[0]!];
  return async () => {
    const { parts, learned } = await snapshot();
    const samples: Sample[] = [], size = pixelsOf(parts, shape);
    await using sd = pipelineOf(parts, settings, learned);
    for (const prompt of prompts) {
      const image = await sd.generate({ prompt, seed, ...size, ...(signal && { signal }) });
      samples.push({ prompt, image });
    }
    return samples;
  };
}

/** A network's weights with some of them replaced, by their place in the file; float32 in memory. */
export function withValues(
  weights: TensorSource,
  values: ReadonlyMap<string, Float32Array>,
): TensorSource {
  return {
    ...weights,
    names: () => weights.names(),
    get(name) {
      const tensor = weights.get(name), data = tensor && values.get(placeOf(tensor));
      return tensor && data ? tensorInMemory(name, "F32", tensor.shape, data) : tensor;
    },
  };
}
