/**
 * The prompts of a run, encoded: which conditions hold at which call of the U-Net.
 *
 * @module
 */

import type { RunTimeLoras } from "./lora_run_time.ts";
import type { Prompts } from "./noise_predictor.ts";
import type { LongPrompt } from "./prompt_windows.ts";
import { type ComposedPrompt, type ParsedPrompt, sectionsOf } from "./prompt_syntax.ts";
import { type Conditioning, type TextConditioner, zeroConditioning } from "./text_conditioning.ts";

/** What the prompts of a run are encoded with. */
export interface ConditionsOptions {
  readonly conditioner: TextConditioner;
  /** LoRAs that are inputs of the text encoders. */
  readonly loras?: RunTimeLoras | undefined;
  readonly longPrompt: LongPrompt;
  readonly clipSkip: number;
  /** The steps that the schedules count. */
  readonly steps: number;
  readonly signal?: AbortSignal | undefined;
}

/** A prompt whose texts are encoded. */
interface Encoded {
  readonly weight: number;
  readonly schedule: readonly { readonly until: number; readonly conditioning: Conditioning }[];
}

/** Encodes every text of `prompt`, each once. */
async function encodeAll(
  { composed, grammar }: Pick<ParsedPrompt, "composed" | "grammar">,
  { conditioner, loras, longPrompt, clipSkip, signal }: ConditionsOptions,
): Promise<Encoded[]> {
  const encodeOne = async ({ weight, schedule }: ComposedPrompt): Promise<Encoded> => {
    const encoded = [];
    for (const { until, text } of schedule) {
      const prompt = { sections: sectionsOf(text, grammar), longPrompt, clipSkip, loras };
      encoded.push({ until, conditioning: await conditioner.encode(prompt, signal) });
    }
    return { weight, schedule: encoded };
  };
  const all = [];
  for (const one of composed) all.push(await encodeOne(one));
  return all;
}

/** The prompts of a run. */
export interface RunPrompts {
  /** An encoded prompt stands for itself. */
  readonly positive: ParsedPrompt | Conditioning;
  /** What guidance looks at beside; `zero` is what SDXL base was trained with. */
  readonly against: readonly (ParsedPrompt | "zero")[];
}

/**
 * Encodes the prompts. A text that holds until step n of N holds for the calls of the first n/N of
 * the run, however many calls the scheduler makes. Clip skip is for the prompt alone: diffusers
 * encodes the negative one with all layers.
 */
export async function encodePrompts(
  { positive, against }: RunPrompts,
  options: ConditionsOptions,
): Promise<(index: number, count: number) => Prompts> {
  const forever = (conditioning: Conditioning): Encoded => ({
    weight: 1,
    schedule: [{ until: options.steps, conditioning }],
  });
  const positives = "composed" in positive
    ? await encodeAll(positive, options)
    : [forever(positive)];
  const others: Encoded[] = [];
  for (const other of against) {
    const encoded = other === "zero"
      ? forever(zeroConditioning(positives[0]!.schedule[0]!.conditioning))
      : (await encodeAll(other, { ...options, clipSkip: 0 }))[0]!;
    others.push(encoded);
  }
  return (index, count) => {
    const step = Math.floor((index * options.steps) / count) + 1;
    const now = ({ schedule }: Encoded) =>
      (schedule.find(({ until }) => step <= until) ?? schedule.at(-1)!).conditioning;
    return {
      positives: positives.map((one) => ({ conditioning: now(one), weight: one.weight })),
      against: others.map(now),
    };
  };
}
