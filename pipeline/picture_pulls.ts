/**
 * Guidance by what the picture looks like, as options of a run; CLIP is opened when first asked for.
 *
 * @module
 */

import type { AutoencoderConfig } from "../models/autoencoder_graphs.ts";
import type { LatentSize } from "./autoencoder.ts";
import { openClipPair } from "./clip_pair.ts";
import type { ModelParts, Network } from "./model_parts.ts";
import { type PictureGuidance, PictureGuide, type Pulls } from "./picture_guide.ts";
import { readPrompt, sectionsOf } from "./prompt_syntax.ts";
import type { SessionBuilder } from "./session_builder.ts";
import type { Settings } from "./settings.ts";

/** What pictures are held against. */
export interface PullParts {
  readonly parts: ModelParts;
  /** Decodes the clean picture of each step. */
  readonly vae: Network<AutoencoderConfig>;
  readonly builder: SessionBuilder;
  /** Folder of a CLIP model. Default: what stands beside the model. */
  readonly clip: string | undefined;
}

/** Share of the noise's size by which predictions move to be like a picture. */
const LIKE_SCALE = 0.1;

/** The guides of a model. */
export class PicturePulls implements Disposable {
  #guide: PictureGuide | undefined;

  constructor(readonly parts: PullParts) {}

  /**
   * The guidance that the settings ask for; undefined for none.
   *
   * @throws {ModelFormatError} where there is no CLIP.
   */
  async of(settings: Settings, size: LatentSize): Promise<PictureGuidance | undefined> {
    const pulls = pullsOf(settings);
    if (!pulls) return undefined;
    const { parts, vae, builder, clip } = this.parts;
    this.#guide ??= new PictureGuide(await openClipPair(parts, clip), vae, builder);
    return await this.#guide.prepare(pulls, size, settings.signal);
  }

  /** Releases the sessions. */
  [Symbol.dispose](): void {
    this.#guide?.[Symbol.dispose]();
  }
}

/** Whether the settings ask for any. */
export const isPulled = (settings: Settings): boolean => pullsOf(settings) !== undefined;

function pullsOf(settings: Settings): Pulls | undefined {
  const { clipGuidance: scale = 0, like: image, likeScale = LIKE_SCALE } = settings;
  const text = scale === 0 ? undefined : { prompt: wordsOf(settings), scale };
  const like = !image || likeScale === 0 ? undefined : { image, scale: likeScale };
  return text || like ? { text, like } : undefined;
}

/** The prompt without its grammar: all that is composed, at the first step. */
function wordsOf({ prompt, clipPrompt, promptSyntax, steps }: Settings): string {
  if (clipPrompt !== undefined) return clipPrompt;
  const { composed, grammar } = readPrompt(prompt, promptSyntax, steps);
  return composed.flatMap(({ schedule }) => sectionsOf(schedule[0]!.text, grammar))
    .flatMap((section) => section.map(({ text }) => text)).join(" ").replace(/\s+/g, " ").trim();
}
