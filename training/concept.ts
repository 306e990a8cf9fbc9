/**
 * Learning a subject or a style by changing networks: what LoRA and DreamBooth have in common.
 * With pictures of the subject's class beside, the class itself is kept (Ruiz et al. 2023,
 * arXiv:2208.12242, section 3.2).
 */
import type { Value } from "../graph/value.ts";
import type { ModelOptions } from "../models/graph_model.ts";
import { joined } from "../pipeline/joined.ts";
import type { ModelParts } from "../pipeline/model_parts.ts";
import type { SessionBuilder } from "../pipeline/session_builder.ts";
import type { LoraNetwork } from "../weights/lora_names.ts";
import { type BatchSource, checkBatch, type PromptFeeds } from "./batches.ts";
import { type ClassPictures, drawClassPictures } from "./class_pictures.ts";
import { denoiserGraph, noiseSettings } from "./denoiser_graph.ts";
import { encodePrompts, type Example } from "./examples.ts";
import { promptsWith } from "./new_word.ts";
import { besideOutput } from "./output.ts";
import {
  builderOf,
  identityOf,
  networkOptions,
  optimizerOf,
  rateOf,
  type RunOptions,
  type RunSettings,
  runSettings,
} from "./run_options.ts";
import { samplerOf } from "./samples.ts";
import { examplesOf, modelOf, trainingShape } from "./subject.ts";
import {
  encodedText,
  ENCODER_NAMES,
  givenText,
  idsName,
  type TrainingShape,
} from "./text_graph.ts";
import { Trainer } from "./trainer.ts";
import { TrainingError } from "./training_error.ts";
import { train, type TrainingEvent } from "./training_run.ts";
import { trainingStep } from "./training_step.ts";

/** What to learn, and what to keep. */
export interface ConceptOptions extends RunOptions {
  /** Prompt of the pictures without a caption; in captions, a word put before what they say. */
  readonly prompt?: string | undefined;
  /** A word added to every caption: "outline". */
  readonly token?: string | undefined;
  /** Pictures of the class that is to stay as it is. */
  readonly classImages?: string | undefined;
  /** Their prompt, where they have no captions. */
  readonly classPrompt?: string | undefined;
  /**
   * How many of them there are to be: what is missing is drawn by the model with `classPrompt`, into
   * `classImages` or the folder `OUTPUT.class`, and kept.
   */
  readonly classCount?: number | undefined;
  /** Their weight in the loss. Default 1. */
  readonly priorWeight?: number | undefined;
  /** Changes the text encoders too. */
  readonly textEncoder?: boolean | undefined;
}

/** How a kind of training changes the networks. */
export interface Change {
  /** How a network is built. */
  readonly options: (network: LoraNetwork) => ModelOptions;
  /** What changes, once the graphs are built, and how it begins. */
  readonly begin: (
    built: ReadonlyMap<LoraNetwork, readonly Value[]>,
  ) => Promise<{ parameters: readonly Value[]; initial: ReadonlyMap<string, Float32Array> }>;
  /** The model with the change as it is. */
  readonly changed: (values: ReadonlyMap<string, Float32Array>) => Promise<ModelParts>;
  /** Writes the result; returns its path. */
  readonly save: (values: ReadonlyMap<string, Float32Array>) => Promise<string>;
  /** Options of this kind that make two runs the same. */
  readonly identity: object;
  /** The rate where none is asked for. */
  readonly rate: number;
}

/** Trains a change of the model on the pictures. */
export async function* trainConcept(
  kind: string,
  options: ConceptOptions,
  changeOf: (parts: ModelParts, settings: RunSettings) => Change,
): AsyncGenerator<TrainingEvent, void, void> {
  const settings = runSettings(options), { textEncoder = false } = options;
  yield { kind: "stage", name: "opening the model" };
  const parts = await modelOf(settings), shape = trainingShape(parts, settings);
  const change = changeOf(parts, settings), builder = builderOf(settings);
  const kept = classOf(options);
  checkBatch(settings.batch, kept === undefined ? 1 : 2);
  if (kept?.drawn) yield* drawClassPictures({ parts, settings, shape }, kept.drawn);
  const groups = yield* groupsOf({ parts, builder, settings, shape }, options, kept?.folder);

  yield { kind: "stage", name: "building the training step" };
  const networks = (name: LoraNetwork) => ({
    ...change.options(name),
    ...networkOptions(settings),
  });
  const text = textEncoder
    ? encodedText(parts, shape, (i) => networks(ENCODER_NAMES[i]!))
    : givenText(parts, shape);
  const graph = denoiserGraph(parts, shape, text, networks("unet"));
  const built = new Map<LoraNetwork, readonly Value[]>([["unet", graph.parameters]]);
  text.parameters?.forEach((values, i) => built.set(ENCODER_NAMES[i]!, values));
  const { parameters, initial } = await change.begin(built);
  const step = trainingStep({
    parameters,
    loss: graph.loss,
    optimizer: optimizerOf(settings),
    clipNorm: settings.clipNorm,
    accumulate: settings.accumulate,
    average: settings.average,
    checkpointing: settings.checkpointing,
    lossScaling: settings.mixedPrecision === "fp16",
  });
  using trainer = await Trainer.create(builder, step, initial);
  const prompts = textEncoder ? idFeeds(parts) : await stateFeeds(parts, builder, groups, settings);
  const noise = noiseSettings(parts), { batch, seed, snrGamma } = settings;
  const batches: BatchSource = { groups, batch, seed, noise, snrGamma, prompts };
  const { prompt, token, classPrompt, priorWeight } = options;
  const identity = identityOf(kind, settings, {
    prompt,
    token,
    classImages: kept?.folder,
    classPrompt,
    priorWeight,
    textEncoder,
    ...change.identity,
  });
  const rate = rateOf(settings, settings.rate ?? change.rate);
  const role = settings.average === undefined ? "parameter" : "average";
  const save = () => change.save(trainer.byParameter(role));
  const snapshot = async () => ({ parts: await change.changed(trainer.byParameter(role)) });
  const sample = samplerOf({ settings, shape, examples: groups[0]!, snapshot });
  yield* train({ settings, identity, trainer, batches, rate, save, sample });
}

/** The folder of class pictures, and how many of which prompt are to be in it; none: undefined. */
function classOf(
  { classImages, classCount: count, classPrompt: prompt, output }: ConceptOptions,
): { folder: string; drawn?: ClassPictures } | undefined {
  if (count === undefined) return classImages === undefined ? undefined : { folder: classImages };
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new TrainingError(
      "classCount",
      `Cannot draw ${count} class pictures: expected 1 or more.`,
    );
  }
  if (prompt === undefined) {
    throw new TrainingError(
      "classPrompt",
      'Cannot draw class pictures: no prompt is given for them, such as "a photo of a dog".',
    );
  }
  const folder = classImages ?? besideOutput(output, "class");
  return { folder, drawn: { folder, count, prompt } };
}

/** The subject's examples, and those of the class where there are some. */
async function* groupsOf(
  context: {
    readonly parts: ModelParts;
    readonly builder: SessionBuilder;
    readonly settings: RunSettings;
    readonly shape: TrainingShape;
  },
  { images, prompt, token, classPrompt, priorWeight = 1 }: ConceptOptions,
  classImages: string | undefined,
): AsyncGenerator<TrainingEvent, Example[][], void> {
  const subject = yield* examplesOf(context, {
    folder: images,
    option: "images",
    weight: 1,
    prompts: ({ caption, name }) => {
      if (caption !== undefined) {
        return token === undefined ? [caption] : promptsWith(token, caption, []);
      }
      return [prompt ?? missingPrompt("prompt", name)];
    },
  });
  if (classImages === undefined) return [subject];
  const kept = yield* examplesOf(context, {
    folder: classImages,
    option: "classImages",
    weight: priorWeight,
    prompts: ({ caption, name }) => [caption ?? classPrompt ?? missingPrompt("classPrompt", name)],
  });
  return [subject, kept];
}

function missingPrompt(option: string, name: string): never {
  throw new TrainingError(
    option,
    `Cannot train on ${name}: it has no caption, and no prompt is given for such pictures.`,
  );
}

/** Feeds token ids, for text encoders that are part of the graph. */
function idFeeds({ textEncoders }: ModelParts): PromptFeeds {
  return (prompts) =>
    Object.fromEntries(textEncoders.map(({ tokenizer }, i) => {
      const ids = prompts.flatMap((prompt) => tokenizer.encode(prompt).ids);
      return [idsName(i), BigInt64Array.from(ids, BigInt)];
    }));
}

/** Encodes all prompts once, and feeds their states. */
async function stateFeeds(
  parts: ModelParts,
  builder: SessionBuilder,
  groups: readonly (readonly Example[])[],
  { signal }: RunSettings,
): Promise<PromptFeeds> {
  const all = groups.flat().flatMap(({ prompts }) => prompts);
  const states = await encodePrompts(parts, builder, all, signal);
  return (prompts) => {
    const rows = prompts.map((prompt) => states.get(prompt)!);
    const hidden = joined(rows.map(({ hidden }) => hidden));
    if (rows[0]!.pooled === undefined) return { hidden_states: hidden };
    return { hidden_states: hidden, pooled: joined(rows.map(({ pooled }) => pooled!)) };
  };
}
