/** Trainings of the embedded model, shortened. */
import { join } from "node:path";
import { openRuntime } from "../../ffi/runtime.ts";
import type { TrainingEvent } from "../../training/mod.ts";

export { inTemporaryFolder as inFolder } from "../weights/temporary_folder.ts";

// Opened outside of any test, because it is never closed.
openRuntime();

/** The folder of eight pictures in a colour, or a style, that no caption of the model names. */
export function pictures(name: "teal" | "outline"): string {
  return join(import.meta.dirname!, "../golden/digits-examples", name);
}

/** Runs a training to its end; the events by kind. */
export async function finished(
  events: AsyncGenerator<TrainingEvent, void, void>,
): Promise<{ losses: number[]; skipped: string[]; saved: string }> {
  const losses: number[] = [], skipped: string[] = [];
  let saved = "";
  for await (const event of events) {
    if (event.kind === "update") losses.push(event.loss);
    if (event.kind === "skipped") skipped.push(event.name);
    if (event.kind === "saved") saved = event.path;
  }
  return { losses, skipped, saved };
}
