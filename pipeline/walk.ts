/**
 * A walk through what a model can draw: the settings of every frame, one frame at a time.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { Image } from "./image.ts";
import { type GenerateOptions, OptionError } from "./options.ts";
import { readPrompt } from "./prompt_syntax.ts";
import type { Settings } from "./settings.ts";
import type { StableDiffusion } from "./stable_diffusion.ts";
import type { Conditioning } from "./text_conditioning.ts";
import { mixConditioning, mixNoise } from "./walk_mixing.ts";
import { type InterpolateOptions, type Route, routeOf } from "./walk_options.ts";
import { measurePace } from "./walk_pace.ts";
import { legAt, legCount, type Pace, positionOf } from "./walk_path.ts";

/** What a walk needs of a pipeline. */
export type Walker = Pick<StableDiffusion, "encode" | "settings" | "startingNoise">;

/** One frame, ready to be drawn with `generate` or `denoise`. */
export interface FramePlan {
  /** 0, 1, ... */
  readonly index: number;
  /** Where on the walk it lies, 0 to 1. */
  readonly t: number;
  /** All options of the picture. */
  readonly settings: Settings;
  /**
   * Everything but the model that decides the picture, as JSON: two frames of one recipe are one
   * picture. Stored in the frame's file, it tells whether the frame has to be drawn again.
   */
  readonly recipe: string;
}

/** The keyword that a frame's recipe is stored in its file under. */
export const RECIPE_KEYWORD = "latent-frame";

/** The frames of a walk. */
export class Walk {
  /** How many frames. */
  readonly frames: number;
  /** Whether each frame begins in the one before. */
  readonly feedback: boolean;
  readonly #sd: Walker;
  readonly #route: Route;
  readonly #legs: number;
  readonly #noises: (Float32Array | undefined)[] = [];
  #pace: Pace | undefined;

  private constructor(sd: Walker, route: Route) {
    this.#sd = sd;
    this.#route = route;
    this.frames = route.frames;
    this.feedback = route.feedback !== undefined;
    this.#legs = Math.max(
      ...[route.prompts, route.seeds, route.guidanceScales].map(({ length }) =>
        legCount(length, route.loop)
      ),
    );
  }

  /**
   * Prepares a walk. Perceptual spacing draws its pilot pictures here, with `draw`.
   *
   * @throws {TypeError} where prompts are missing or given twice.
   * @throws {OptionError} for options that cannot be drawn with.
   */
  static async open(
    sd: Walker,
    options: InterpolateOptions,
    draw: (settings: Settings) => Promise<Image>,
  ): Promise<Walk> {
    const asked = routeOf(options);
    const route = {
      ...asked,
      prompts: asked.prompts.map((prompt) => stopPrompt(sd, asked, prompt)),
    };
    const walk = new Walk(sd, route);
    if (route.pilots !== undefined && walk.#legs > 0) {
      const pilot = async (t: number) => await draw(await walk.#settingsAt(t));
      walk.#pace = await measurePace(pilot, { legs: walk.#legs, pilots: route.pilots });
    }
    return walk;
  }

  /**
   * The frame `index`. With feedback it begins in `previous`, the frame before, which every frame
   * but the first needs.
   */
  async frame(index: number, previous?: Image): Promise<FramePlan> {
    const { loop, easing, frames, feedback } = this.#route;
    const pace = this.#pace && { pace: this.#pace };
    const t = positionOf(index, { frames, loop, easing, legs: this.#legs, ...pace });
    if (feedback === undefined || index === 0) {
      const settings = await this.#settingsAt(t);
      return { index, t, settings, recipe: this.#recipe(t, settings) };
    }
    if (!previous) {
      throw new TypeError(`Cannot plan frame ${index}: feedback needs the one before.`);
    }
    const settings = await this.#settingsAt(t, {
      image: previous,
      strength: feedback,
      seed: BigInt(this.#route.seeds[0]!) + BigInt(index),
    });
    return { index, t, settings, recipe: this.#recipe(t, settings) };
  }

  async #settingsAt(t: number, changes: Partial<GenerateOptions> = {}): Promise<Settings> {
    const options = { ...this.#options(t), ...changes };
    const settings = this.#sd.settings(options);
    const conditioning = await this.#conditioning(t, settings);
    const noise = settings.image ? undefined : this.#noise(t, settings);
    return { ...settings, conditioning, ...(noise && { noise }) };
  }

  /** The options at `t` but for what has to be mixed. */
  #options(t: number): GenerateOptions {
    const { prompts, seeds, guidanceScales: scales, common, loop } = this.#route;
    const { from, to, share } = legAt(t, scales.length, loop);
    return {
      ...common,
      prompt: this.#describe(t, prompts),
      seed: seeds[0]!,
      guidanceScale: scales[from]! + share * (scales[to]! - scales[from]!),
    };
  }

  /** The prompt as it is told: both ends and how far it has come, where it lies between. */
  #describe(t: number, prompts: readonly string[]): string {
    const { from, to, share } = legAt(t, prompts.length, this.#route.loop);
    if (share === 0 || prompts[from] === prompts[to]) return prompts[from]!;
    if (share === 1) return prompts[to]!;
    return `${prompts[from]} → ${prompts[to]}, ${(100 * share).toFixed(1)} %`;
  }

  async #conditioning(t: number, settings: Settings): Promise<Conditioning> {
    const { prompts, promptMixing, loop } = this.#route;
    const { from, to, share } = legAt(t, prompts.length, loop);
    const encode = (prompt: string) => this.#sd.encode(prompt, settings);
    if (share === 0) return await encode(prompts[from]!);
    const a = await encode(prompts[from]!), b = await encode(prompts[to]!);
    const empty = a.tokens === b.tokens ? a : await encode("");
    return mixConditioning(promptMixing, a, b, share, empty);
  }

  #noise(t: number, settings: Settings): Float32Array {
    const { seeds, noiseMixing, loop } = this.#route;
    const { from, to, share } = legAt(t, seeds.length, loop);
    const noiseOf = (stop: number) =>
      this.#noises[stop] ??= this.#sd.startingNoise({ ...settings, seed: seeds[stop]! }).data;
    if (share === 0) return noiseOf(from);
    const mixed = mixNoise(noiseMixing, noiseOf(from), noiseOf(to), share);
    // The stops behind are not needed again; a walk over many would keep all their noises.
    this.#noises.forEach((_, stop) => {
      if (stop !== from && stop !== to) this.#noises[stop] = undefined;
    });
    return mixed;
  }

  /** What decides the picture at `t`. */
  #recipe(t: number, settings: Settings): string {
    const { prompts, seeds, promptMixing, noiseMixing, loop, feedback } = this.#route;
    const side = <T>(stops: readonly T[]) => {
      const { from, to, share } = legAt(t, stops.length, loop);
      return share === 0 ? [stops[from]] : [stops[from], stops[to], share];
    };
    const { signal: _, conditioning: __, noise: ___, prompt: ____, seat: _____, ...plain } =
      settings;
    const recipe = {
      ...plain,
      prompts: side(prompts),
      seeds: feedback === undefined ? side(seeds) : [settings.seed],
      promptMixing,
      noiseMixing,
    };
    return JSON.stringify(recipe, (_, value) => {
      if (value instanceof Image) return digest(value);
      return typeof value === "bigint" ? String(value) : value;
    });
  }
}

/** A prompt with its wildcards chosen, by the walk's first seed. */
function stopPrompt(sd: Walker, { common, seeds }: Route, text: string): string {
  const { prompt, promptSyntax } = sd.settings({ ...common, prompt: text, seed: seeds[0]! });
  if (readPrompt(prompt, promptSyntax, 1).loras.length === 0) return prompt;
  throw new OptionError(
    "prompts",
    `Cannot interpolate to ${JSON.stringify(prompt)}: a LoRA in a prompt is all there or not at ` +
      "all. Open the model with it instead.",
  );
}

/** Names a picture by its pixels. */
function digest({ width, data }: Image): string {
  // Deno before 2.5 hashes no clamped arrays.
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return createHash("sha256").update(`${width} `).update(bytes).digest("hex").slice(0, 16);
}
