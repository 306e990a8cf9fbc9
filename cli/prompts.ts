/**
 * Where prompts come from: words after the command, `--prompt`, or lines of standard input.
 *
 * @module
 */

import { TextLineStream } from "./text_lines.ts";
import { UsageError } from "./flags.ts";

/** The prompts of a run. */
export interface Prompts {
  /** True for one prompt known from the start. */
  readonly single: boolean;
  readonly texts: AsyncIterable<string> | Iterable<string>;
}

/** @throws {UsageError} for two prompts, and for none on a terminal. */
export function promptsOf(flag: string | undefined, positionals: readonly string[]): Prompts {
  if (positionals.length > 1) {
    throw new UsageError(
      `One prompt at a time; got ${positionals.length}: put the prompt in quotes.`,
    );
  }
  if (flag !== undefined && positionals.length > 0) {
    throw new UsageError("The prompt is given twice: as --prompt and as an argument.");
  }
  const prompt = flag ?? positionals[0];
  if (prompt !== undefined) return { single: true, texts: [prompt] };
  if (Deno.stdin.isTerminal()) {
    throw new UsageError('No prompt. Try: latent generate "a red seven on a blue background"');
  }
  return { single: false, texts: linesOf(Deno.stdin.readable) };
}

/** Lines of a byte stream; empty ones are skipped. */
async function* linesOf(bytes: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  for await (
    const line of bytes.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream())
  ) {
    if (line.trim() !== "") yield line.trim();
  }
}
