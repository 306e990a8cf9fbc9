/** One stage of training: steps, checkpoints, and going on where it stopped. */
import { exists } from "../../pipeline/existing.ts";
import { loadCheckpoint, saveCheckpoint } from "../checkpoint.ts";
import type { LearningRate } from "../learning_rate.ts";
import type { Batch, StepResult } from "../trainer.ts";
import type { TrainingEvent } from "../training_run.ts";

/** What takes the steps: a trainer, or several that train side by side. */
export interface Stepper<B> {
  readonly steps: number;
  readonly state: ReadonlyMap<string, Float32Array>;
  restore(state: ReadonlyMap<string, Float32Array>, steps: number): void;
  step(batch: B, rate: number, signal?: AbortSignal): Promise<StepResult>;
}

/** What a stage needs. */
export interface Stage<B = Batch> {
  /** What makes two stages the same, for going on; the number of steps is not part of it. */
  readonly identity: string;
  readonly trainer: Stepper<B>;
  readonly steps: number;
  readonly rate: LearningRate;
  /** The batch of step 0, 1, ...: of nothing but the step. */
  readonly batch: (step: number) => B;
  /** The checkpoint's file. */
  readonly path: string;
  readonly saveEvery: number;
  readonly signal?: AbortSignal | undefined;
  /** Writes the model from the trainer's state: after every checkpoint, and when going on from one. */
  readonly write: () => Promise<void>;
}

/** Trains to the last step, from the checkpoint if there is one. */
export async function* trainStage<B>(
  stage: Stage<B>,
): AsyncGenerator<TrainingEvent, void, void> {
  const { trainer, steps, rate, batch, path, saveEvery, identity, signal, write } = stage;
  if (await exists(path)) {
    const { state, steps } = await loadCheckpoint(path, identity);
    trainer.restore(state, steps);
    // A kill between a checkpoint and this leaves the model one checkpoint behind.
    await write();
  }
  const checkpoint = async (): Promise<TrainingEvent> => {
    await saveCheckpoint(path, { state: trainer.state, steps: trainer.steps, run: identity });
    await write();
    return { kind: "checkpoint", step: trainer.steps, path };
  };
  let next = batch(trainer.steps);
  while (trainer.steps < steps) {
    const began = performance.now(), step = trainer.steps;
    try {
      const running = trainer.step(next, rate(step), signal);
      // Drawn while the processor's other threads compute.
      if (step + 1 < steps) next = batch(step + 1);
      const { loss, norm } = await running;
      const seconds = (performance.now() - began) / 1000;
      yield { kind: "update", step: step + 1, steps, loss, norm, rate: rate(step), seconds };
    } catch (error) {
      if (signal?.aborted) yield await checkpoint();
      throw error;
    }
    if (trainer.steps === steps || trainer.steps % saveEvery === 0) yield await checkpoint();
  }
}

/** At `rate` for `flat` of the steps after a short rise, then along half a cosine to 1%. */
export function flatThenCosine(rate: number, steps: number, flat: number): LearningRate {
  const rise = Math.min(100, Math.ceil(steps / 10));
  return (step) => {
    const share = Math.max(0, (step / steps - flat) / (1 - flat));
    const fall = 0.01 + 0.99 * (1 + Math.cos(Math.PI * share)) / 2;
    return rate * fall * Math.min(1, (step + 1) / rise);
  };
}
