/**
 * Programs under measurement: child processes that obey one line at a time, so that the rounds of
 * several can be interleaved on a machine whose speed drifts.
 *
 * @module
 */

import { larger, type Memory, NO_MEMORY, peakDuring, readProcessorTime } from "./memory.ts";

/** The networks that a peer can load and run. */
export type NetworkName = "unet" | "text_encoder" | "vae_decoder";

/** How to start a program. */
export interface Program {
  /** Its name in the report. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Memory that it may need at 512x512, in GB: decides what is alive together. */
  readonly gigabytes: number;
}

/** A child's answer. */
export interface Answer {
  /** What the command took, measured by the child. */
  readonly ms: number;
  /** Processor time that the child used for it on all threads, in milliseconds. */
  readonly processorMs: number;
  /** After `run`: up to 64 values of the result, evenly spread. */
  readonly values?: readonly number[];
  /** After `load`: versions of what was loaded for it. */
  readonly versions?: Readonly<Record<string, string>>;
  /** After `profile`: the trace that ONNX Runtime wrote. */
  readonly trace?: string;
}

/** A program that has been started. */
export class Peer {
  /** Names and versions of what it runs on. */
  versions: Readonly<Record<string, string>> = {};
  /** The most memory it held during commands on each network. */
  readonly memory = new Map<NetworkName, Memory>();
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: ReadableStreamDefaultReader<string>;
  readonly #errors: Promise<string>;

  private constructor(readonly program: Program) {
    this.#child = new Deno.Command(program.command, {
      args: [...program.args],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#lines = lines(this.#child.stdout).getReader();
    this.#errors = new Response(this.#child.stderr).text();
  }

  /** Starts `program` and waits until it says what it runs on. */
  static async start(program: Program): Promise<Peer> {
    const peer = new Peer(program);
    peer.versions = (await peer.#answer() as { versions: Record<string, string> }).versions;
    return peer;
  }

  /** Sends a command and measures the memory until the answer. */
  async ask(command: "load" | "run" | "profile", network: NetworkName): Promise<Answer> {
    const { pid } = this.#child;
    const before = await readProcessorTime(pid);
    const { result, memory } = await peakDuring(pid, async () => {
      await this.#input.write(new TextEncoder().encode(`${command} ${network}\n`));
      return await this.#answer();
    });
    this.memory.set(network, larger(this.memory.get(network) ?? NO_MEMORY, memory));
    const answer = result as Omit<Answer, "processorMs">;
    this.versions = { ...this.versions, ...answer.versions };
    return { ...answer, processorMs: await readProcessorTime(pid) - before };
  }

  /** Tells the program to end, and waits for it. */
  async quit(): Promise<void> {
    await this.#input.write(new TextEncoder().encode("quit\n"));
    await this.#child.status;
  }

  async #answer(): Promise<unknown> {
    const { value } = await this.#lines.read();
    if (value !== undefined) return JSON.parse(value);
    const { code } = await this.#child.status;
    throw new Error(
      `Cannot measure ${this.program.name}: it ended with code ${code}.\n` +
        (await this.#errors).split("\n").slice(-20).join("\n"),
    );
  }
}

function lines(stream: ReadableStream<Uint8Array<ArrayBuffer>>): ReadableStream<string> {
  let rest = "";
  const split = new TransformStream<string, string>({
    transform(chunk, controller) {
      const parts = (rest + chunk).split("\n");
      rest = parts.pop()!;
      for (const line of parts) controller.enqueue(line);
    },
  });
  return stream.pipeThrough(new TextDecoderStream()).pipeThrough(split);
}
