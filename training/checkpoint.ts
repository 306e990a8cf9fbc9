/** A run's whole state in one file, from which it goes on as if it had never stopped. */
import { openSafetensors } from "../weights/safetensors.ts";
import { writeSafetensors } from "../weights/safetensors_write.ts";
import { tensorInMemory } from "../weights/stored_tensor.ts";
import { toFloat32 } from "../weights/read.ts";
import { besideOutput } from "./output.ts";
import { TrainingError } from "./training_error.ts";

/** What a checkpoint holds. */
export interface Checkpoint {
  /** Parameters, averages, the optimizer's memory. */
  readonly state: ReadonlyMap<string, Float32Array>;
  /** Runs of the step that are done. */
  readonly steps: number;
  /** What makes the run the same run: its kind and options. */
  readonly run: string;
}

/** Where the checkpoint of a result is kept. */
export function checkpointPath(output: string): string {
  return besideOutput(output, "checkpoint.safetensors");
}

/**
 * Writes a checkpoint; the old one is replaced only when the new one is whole.
 *
 * @throws {TrainingError} when it cannot be written: no room, no such folder.
 */
export async function saveCheckpoint(path: string, checkpoint: Checkpoint): Promise<void> {
  const { state, steps, run } = checkpoint;
  const tensors = [...state].map(([name, data]) =>
    tensorInMemory(name, "F32", [data.length], data)
  );
  try {
    await writeSafetensors(path, tensors, { metadata: { steps: String(steps), run } });
  } catch (cause) {
    if (cause instanceof Deno.errors.NotCapable) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TrainingError(
      "output",
      `Cannot save the checkpoint ${path}: ${why}. The one before it, if any, is whole: make room ` +
        "and go on with --resume.",
      { cause },
    );
  }
}

/**
 * Reads a checkpoint of the run `run`.
 *
 * @throws {TrainingError} when there is none, or it is of a run with other options.
 */
export async function loadCheckpoint(path: string, run: string): Promise<Checkpoint> {
  let source;
  try {
    source = await openSafetensors(path);
  } catch (cause) {
    const missing = cause instanceof Deno.errors.NotFound ||
      cause instanceof Error && cause.cause instanceof Deno.errors.NotFound;
    if (!missing) throw cause;
    throw new TrainingError("resume", `Cannot resume: there is no ${path}. Begin without it.`, {
      cause,
    });
  }
  const { steps, run: saved } = source.metadata;
  if (saved !== run) {
    throw new TrainingError(
      "resume",
      `Cannot resume from ${path}: it belongs to a run with other options; ` +
        `got ${difference(saved ?? "{}", run)}. Give the same options, or begin anew.`,
    );
  }
  const state = new Map<string, Float32Array>();
  for (const name of source.names()) state.set(name, await toFloat32(source.get(name)!));
  return { state, steps: Number(steps), run };
}

/** The first few options that differ. */
function difference(saved: string, asked: string): string {
  const a = JSON.parse(saved) as Record<string, unknown>;
  const b = JSON.parse(asked) as Record<string, unknown>;
  const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])]
    .filter((key) => JSON.stringify(a[key]) !== JSON.stringify(b[key]));
  const show = (value: unknown) => JSON.stringify(value)?.slice(0, 40) ?? "nothing";
  return keys.slice(0, 3).map((key) => `${key} ${show(a[key])}, now ${show(b[key])}`).join("; ");
}
