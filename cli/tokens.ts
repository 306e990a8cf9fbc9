/**
 * `--tokens`: what a prompt is to the text encoder.
 *
 * @module
 */

import type { GenerateOptions, PromptToken, StableDiffusion } from "../mod.ts";
import { print } from "./standard_output.ts";

/** One line a token: its number, piece of text and weight; what is cut off is said so. */
function tokenLines(tokens: readonly PromptToken[]): string {
  let before: PromptToken | undefined, number = 0;
  const lines = tokens.map((token) => {
    const isNew = token.window !== before?.window || token.prompt !== before?.prompt;
    const gap = before && isNew ? "\n" : "";
    number = isNew ? 1 : number + 1;
    before = token;
    const weight = Number(token.weight.toPrecision(6));
    const text = token.text.replace(/<\/w>$/, " ");
    return `${gap}${String(number).padStart(3)}  ${text.padEnd(16)}${weight}` +
      (token.isCut ? "  cut off" : "");
  });
  return lines.join("\n");
}

/** Prints the tokens of a prompt and of its negative prompt; with `json` one object a line. */
export function printTokens(
  sd: Pick<StableDiffusion, "tokens">,
  options: GenerateOptions,
  { json = false }: { readonly json?: boolean | undefined },
): void {
  for (const name of ["prompt", "negativePrompt"] as const) {
    const prompt = options[name];
    if (prompt === undefined) continue;
    const tokens = sd.tokens(prompt, options);
    if (json) print(JSON.stringify({ event: "tokens", of: name, prompt, tokens }));
    else print(`${JSON.stringify(prompt)}\n${tokenLines(tokens)}`);
  }
}
