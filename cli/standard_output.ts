/**
 * Results on standard output: all of the bytes, or an error of one line.
 *
 * @module
 */

/**
 * Writes all of `bytes` to standard output.
 *
 * @throws {Deno.errors.BrokenPipe} where the reader has gone.
 */
export async function writeToStandardOutput(bytes: Uint8Array): Promise<void> {
  try {
    for (let at = 0; at < bytes.length;) at += await Deno.stdout.write(bytes.subarray(at));
  } catch (error) {
    throw asOneLine(error, "standard output");
  }
}

/** Writes a line to standard output, whole. Throws as above. */
export function print(text: string): void {
  writeLine("standard output", text);
}

/** Writes a text at once to standard output or standard error. Throws as above. */
export function writeLine(to: "standard output" | "standard error", line: string): void {
  const stream = to === "standard output" ? Deno.stdout : Deno.stderr;
  const bytes = new TextEncoder().encode(`${line}\n`);
  try {
    for (let at = 0; at < bytes.length;) at += stream.writeSync(bytes.subarray(at));
  } catch (error) {
    throw asOneLine(error, to);
  }
}

function asOneLine(error: unknown, where: string): unknown {
  if (error instanceof Deno.errors.BrokenPipe || !(error instanceof Error)) return error;
  return new Error(`Cannot write to ${where}: ${error.message}.`, { cause: error });
}
