/**
 * Where prompts come from: words after the command, `--prompt`, a file, or standard input.
 *
 * @module
 */

import { TextLineStream } from "./text_lines.ts";
import { UsageError } from "./flags.ts";

/** A prompt, or a line of a file of them. */
export interface PromptLine {
  readonly text: string;
  /** From 1, empty lines counted; absent for a prompt of the command line. */
  readonly line?: number;
}

/** The prompts of a run. */
export interface Prompts {
  /** True for one prompt known from the start. */
  readonly single: boolean;
  /** True where they come in by standard input. */
  readonly standardInput: boolean;
  readonly lines: AsyncIterable<PromptLine> | Iterable<PromptLine>;
}

/** @throws {UsageError} for two prompts, and for none on a terminal. */
export async function promptsOf(
  flags: { readonly prompt?: string; readonly prompts?: string },
  positionals: readonly string[],
): Promise<Prompts> {
  if (positionals.length > 1) {
    throw new UsageError(
      `One prompt at a time; got ${positionals.length}: put the prompt in quotes.`,
    );
  }
  if (flags.prompt !== undefined && positionals.length > 0) {
    throw new UsageError("The prompt is given twice: as --prompt and as an argument.");
  }
  const prompt = flags.prompt ?? positionals[0], file = flags.prompts;
  if (prompt !== undefined && file !== undefined) {
    throw new UsageError("Give a prompt or --prompts, not both.");
  }
  if (prompt !== undefined) {
    return { single: true, standardInput: false, lines: [{ text: prompt }] };
  }
  if (file !== undefined && file !== "-") {
    return { single: false, standardInput: false, lines: linesOf(await open(file)) };
  }
  if (file === undefined && Deno.stdin.isTerminal()) {
    throw new UsageError('No prompt. Try: latent generate "a red seven on a blue background"');
  }
  return { single: false, standardInput: true, lines: linesOf(Deno.stdin.readable) };
}

async function open(path: string): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
  try {
    return (await Deno.open(path)).readable;
  } catch (cause) {
    if (cause instanceof Deno.errors.NotCapable || !(cause instanceof Error)) throw cause;
    throw new Error(`Cannot read the prompts: ${cause.message}.`, { cause });
  }
}

/** Lines of a byte stream; empty ones are skipped, but counted. */
async function* linesOf(
  bytes: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<PromptLine> {
  let line = 0;
  const texts = bytes.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
  for await (const text of texts) {
    line++;
    if (text.trim() !== "") yield { text: text.trim(), line };
  }
}
