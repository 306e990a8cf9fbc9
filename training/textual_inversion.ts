/** Textual inversion (Gal et al. 2022, arXiv:2208.01618): a new word for what is in the pictures. */
import { input, type Value } from "../graph/value.ts";
import type { ModelParts } from "../pipeline/model_parts.ts";
import { writeSafetensors } from "../weights/safetensors_write.ts";
import { tensorInMemory } from "../weights/stored_tensor.ts";
import type { BatchSource } from "./batches.ts";
import { denoiserGraph, noiseSettings } from "./denoiser_graph.ts";
import { addWord, type NewWord, promptsWith, TEMPLATES } from "./new_word.ts";
import {
  builderOf,
  identityOf,
  networkOptions,
  optimizerOf,
  rateOf,
  type RunOptions,
  runSettings,
} from "./run_options.ts";
import { samplerOf } from "./samples.ts";
import { examplesOf, modelOf, trainingShape } from "./subject.ts";
import { encodedText, ENCODER_NAMES, idsName } from "./text_graph.ts";
import { Trainer } from "./trainer.ts";
import { train, type TrainingEvent } from "./training_run.ts";
import { trainingStep } from "./training_step.ts";

/** What to learn a word for. */
export interface TextualInversionOptions extends RunOptions {
  /** The new word, as it will stand in prompts: "<teal>". */
  readonly token: string;
  /** A word of the vocabulary that it begins as. */
  readonly initWord: string;
  /** Vectors that the word becomes. Default 1. */
  readonly vectors?: number | undefined;
  /** Prompts for pictures without captions, with `{}` for the word. Default: `TEMPLATES`. */
  readonly prompts?: readonly string[] | undefined;
}

/** The rate that suits SD 1, by the deviation of its embeddings: 5e-4 there. */
const RATE_BY_DEVIATION = 0.037;

/**
 * Learns a word and writes its vectors, in the form that this program, diffusers and others load.
 *
 * @throws {TrainingError} for options and pictures that cannot be learned from.
 * @throws {DivergedError} when the loss is no number any more.
 */
export async function* trainTextualInversion(
  options: TextualInversionOptions,
): AsyncGenerator<TrainingEvent, void, void> {
  const settings = runSettings(options), { token, initWord, vectors: count = 1 } = options;
  yield { kind: "stage", name: "opening the model" };
  const parts = await modelOf(settings), shape = trainingShape(parts, settings);
  const words: NewWord[] = [];
  for (const encoder of parts.textEncoders) {
    words.push(await addWord(encoder, { token, initWord, count }));
  }
  const builder = builderOf(settings), templates = options.prompts ?? TEMPLATES;
  const examples = yield* examplesOf({ parts, builder, settings, shape }, {
    folder: settings.images,
    option: "images",
    prompts: ({ caption }) => promptsWith(token, caption, templates),
    weight: 1,
  });

  yield { kind: "stage", name: "building the training step" };
  const parameters = parts.textEncoders.map(({ config }, i) =>
    input(vectorsName(i), "float32", [count, config.hiddenSize])
  );
  const text = encodedText(parts, shape, (i) => ({
    ...networkOptions(settings),
    extraTokens: count,
    values: { token_embeddings: parameters[i] as Value },
  }));
  const step = trainingStep({
    parameters,
    loss: denoiserGraph(parts, shape, text, networkOptions(settings)).loss,
    optimizer: optimizerOf(settings),
    clipNorm: settings.clipNorm,
    accumulate: settings.accumulate,
    average: settings.average,
    checkpointing: settings.checkpointing,
    lossScaling: settings.mixedPrecision === "fp16",
  });
  const initial = new Map(words.map(({ vectors }, i) => [vectorsName(i), vectors]));
  using trainer = await Trainer.create(builder, step, initial);
  const batches: BatchSource = {
    groups: [examples],
    batch: settings.batch,
    seed: settings.seed,
    noise: noiseSettings(parts),
    snrGamma: settings.snrGamma,
    prompts: (prompts) => idsOf(parts, words, prompts),
  };
  const rate = rateOf(settings, settings.rate ?? RATE_BY_DEVIATION * words[0]!.deviation);
  const role = settings.average === undefined ? "parameter" : "average";
  const identity = identityOf("textual-inversion", settings, { token, initWord, count, templates });
  const snapshot = () => {
    const vectors = trainer.byParameter(role);
    const learned = words.map(({ ids }, i) => ({ ids, vectors: vectors.get(vectorsName(i))! }));
    return Promise.resolve({ parts, learned });
  };
  yield* train({
    settings,
    identity,
    trainer,
    batches,
    rate,
    sample: samplerOf({ settings, shape, examples, snapshot }),
    save: async () => {
      await saveEmbedding(settings.output, token, parts, trainer.byParameter(role));
      return settings.output;
    },
  });
}

/** Name of the graph input that holds the word's vectors for encoder `index`. */
function vectorsName(index: number): string {
  return `${ENCODER_NAMES[index]}/token_embeddings`;
}

/** Token ids by encoder; the graph's own ids of the word begin at the vocabulary's size. */
function idsOf(parts: ModelParts, words: readonly NewWord[], prompts: readonly string[]) {
  return Object.fromEntries(parts.textEncoders.map(({ tokenizer, config }, i) => {
    const own = words[i]!.ids;
    const rows = prompts.flatMap((prompt) =>
      tokenizer.encode(prompt).ids.map((id) =>
        BigInt(own.includes(id) ? config.vocabSize + own.indexOf(id) : id)
      )
    );
    return [idsName(i), BigInt64Array.from(rows)];
  }));
}

/** diffusers' file: the word's name with its vectors; SDXL's has one entry an encoder. */
async function saveEmbedding(
  path: string,
  token: string,
  { textEncoders }: ModelParts,
  vectors: ReadonlyMap<string, Float32Array>,
): Promise<void> {
  const names = textEncoders.length === 1 ? [token] : ["clip_l", "clip_g"];
  const tensors = textEncoders.map(({ config }, i) => {
    const data = vectors.get(vectorsName(i))!;
    const shape = [data.length / config.hiddenSize, config.hiddenSize];
    return tensorInMemory(names[i]!, "F32", shape, data);
  });
  await writeSafetensors(path, tensors, { metadata: { format: "pt", token } });
}
