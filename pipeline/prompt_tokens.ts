/**
 * What a prompt is to the text encoder: its tokens, one by one.
 *
 * @module
 */

import type { EncodablePrompt, TextConditioner } from "./text_conditioning.ts";

/** One token of a prompt. */
export interface PromptToken {
  /** Which of the prompts that `AND` composes, from 0. */
  readonly prompt: number;
  /** Which window of the text encoder it is in, from 0. */
  readonly window: number;
  /** Its number in the vocabulary. */
  readonly id: number;
  /** As the vocabulary spells it: `</w>` at the end of a word. */
  readonly text: string;
  /** 1 unless the prompt weighs it. */
  readonly weight: number;
  /** True for what does not fit and is cut off. */
  readonly isCut: boolean;
}

/** The tokens of composed prompts, without start, end and padding. */
export function promptTokens(
  conditioner: TextConditioner,
  prompts: readonly EncodablePrompt[],
): PromptToken[] {
  const { tokenizer } = conditioner.parts.textEncoders[0]!;
  return prompts.flatMap((encodable, prompt) => {
    const kept = conditioner.windows(encodable).windows;
    const all = conditioner.windows({ ...encodable, longPrompt: "chunk" }).windows;
    const cut = encodable.longPrompt === "truncate" ? kept[0]!.ids.length : Infinity;
    let seen = 0;
    return (cut === Infinity ? kept : all).flatMap(({ ids, weights }, window) =>
      tokenizer.tokens(ids).map((text, i): PromptToken => ({
        prompt,
        window,
        id: ids[i]!,
        text,
        weight: weights[i]!,
        isCut: seen++ >= cut,
      }))
    );
  });
}
