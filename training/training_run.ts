/** The loop: batches, updates, checkpoints; the same for all kinds of training. */
import type { LearningRate } from "./learning_rate.ts";
import type { BatchSource } from "./batches.ts";
import { batchOf } from "./batches.ts";
import { checkpointPath, loadCheckpoint, saveCheckpoint } from "./checkpoint.ts";
import type { RunSettings } from "./run_options.ts";
import type { Sample, Sampler } from "./samples.ts";
import type { Trainer } from "./trainer.ts";

/** What is told of a run. */
export type TrainingEvent =
  | { readonly kind: "stage"; readonly name: string }
  /** A picture that could not be read and is left out. */
  | { readonly kind: "skipped"; readonly name: string; readonly reason: string }
  /** An update is done. */
  | {
    readonly kind: "update";
    /** 1 to `steps`. */
    readonly step: number;
    readonly steps: number;
    /** The mean loss of the update's batches. */
    readonly loss: number;
    /** The gradient's length before clipping. */
    readonly norm: number;
    readonly rate: number;
    readonly seconds: number;
    /** In half precision: how often a step was repeated, since gradients overflowed. */
    readonly overflows?: number;
    /** In half precision: what the loss was multiplied by. */
    readonly lossScale?: number;
  }
  /** What the model draws after `step` updates. */
  | { readonly kind: "samples"; readonly step: number; readonly samples: readonly Sample[] }
  /** The state is safe on disk. */
  | { readonly kind: "checkpoint"; readonly step: number; readonly path: string }
  /** The result is written. */
  | { readonly kind: "saved"; readonly path: string };

/** What the loop needs. */
export interface TrainingRun {
  readonly settings: RunSettings;
  /** What makes two runs the same, for resuming. */
  readonly identity: string;
  readonly trainer: Trainer;
  readonly batches: BatchSource;
  readonly rate: LearningRate;
  /** Writes the result from the trainer's state. */
  readonly save: () => Promise<string>;
  /** Draws with the model as it is, where the run asks for that. */
  readonly sample?: Sampler | undefined;
}

/**
 * Trains to the end, or until the consumer stops, and saves the result.
 *
 * A run that is interrupted saves a checkpoint first.
 * @throws {DivergedError} when the loss is no number any more; the last checkpoint stays.
 * @throws {TrainingError} when there is nothing to resume from.
 */
export async function* train(run: TrainingRun): AsyncGenerator<TrainingEvent, void, void> {
  const { settings, identity, trainer, rate, save, sample } = run;
  const { steps, accumulate, saveEvery, sampleEvery, output, resume, signal } = settings;
  const path = checkpointPath(output);
  if (resume) {
    const { state, steps } = await loadCheckpoint(path, identity);
    trainer.restore(state, steps);
  }
  const checkpoint = async (): Promise<TrainingEvent> => {
    await saveCheckpoint(path, { state: trainer.state, steps: trainer.steps, run: identity });
    return { kind: "checkpoint", step: Math.floor(trainer.steps / accumulate), path };
  };
  if (sample) yield { kind: "samples", step: trainer.steps / accumulate, samples: await sample() };
  while (trainer.steps < steps * accumulate) {
    const began = performance.now(), update = Math.floor(trainer.steps / accumulate);
    let loss = 0, norm = 0, overflows = 0, lossScale: number | undefined;
    try {
      for (let i = 0; i < accumulate; i++) {
        const result = await trainer.step(
          batchOf(run.batches, trainer.steps),
          rate(update),
          signal,
        );
        loss += result.loss / accumulate;
        norm = result.norm;
        overflows += result.overflows ?? 0;
        lossScale = result.lossScale;
      }
    } catch (error) {
      // A run that diverges was on its way there before: its last checkpoint is the better state.
      if (signal?.aborted) yield await checkpoint();
      throw error;
    }
    const seconds = (performance.now() - began) / 1000;
    const half = lossScale === undefined ? {} : { overflows, lossScale };
    const told = { loss, norm, rate: rate(update), seconds, ...half };
    yield { kind: "update", step: update + 1, steps, ...told };
    const isLast = update + 1 === steps;
    if (isLast || (update + 1) % saveEvery === 0) yield await checkpoint();
    if (sample && (isLast || (update + 1) % sampleEvery! === 0)) {
      yield { kind: "samples", step: update + 1, samples: await sample() };
    }
  }
  yield { kind: "saved", path: await save() };
}
