/** Copies of a network that train side by side and agree now and then. */
import type { SessionBuilder } from "../../pipeline/session_builder.ts";
import { type Batch, type StepResult, Trainer } from "../trainer.ts";
import type { TrainingStep } from "../training_step.ts";

/** Steps after which all copies become their mean. */
const APART = 4;

/**
 * Trainers that take a step each at the same time, on batches of their own; every fourth step all
 * that they remember is averaged ("local SGD", Stich 2019, arXiv:1805.09767). On a busy machine this
 * is much faster than one trainer of several threads, which waits for the last of them in each of
 * thousands of operators. Owns native memory: dispose it.
 */
export class TrainerTeam implements Disposable {
  readonly #trainers: readonly Trainer[];

  private constructor(trainers: readonly Trainer[]) {
    this.#trainers = trainers;
  }

  /** `count` trainers of `step` that begin the same. */
  static async create(
    builder: SessionBuilder,
    step: TrainingStep,
    initial: ReadonlyMap<string, Float32Array>,
    count: number,
  ): Promise<TrainerTeam> {
    const trainers = [];
    for (let i = 0; i < count; i++) trainers.push(await Trainer.create(builder, step, initial));
    return new TrainerTeam(trainers);
  }

  /** Steps that each has done. */
  get steps(): number {
    return this.#trainers[0]!.steps;
  }

  /** What all remember after they agreed. */
  get state(): ReadonlyMap<string, Float32Array> {
    this.#agree();
    return this.#trainers[0]!.state;
  }

  /** The tensors of one role after all agreed, by the parameter they are of. */
  byParameter(role: "parameter" | "average"): Map<string, Float32Array> {
    this.#agree();
    return this.#trainers[0]!.byParameter(role);
  }

  /** Continues from a state of `steps` steps. */
  restore(state: ReadonlyMap<string, Float32Array>, steps: number): void {
    for (const trainer of this.#trainers) trainer.restore(state, steps);
  }

  /** A step of each on its batch; the means of what they said. */
  async step(batches: readonly Batch[], rate: number, signal?: AbortSignal): Promise<StepResult> {
    const results = await Promise.all(
      this.#trainers.map((trainer, i) => trainer.step(batches[i]!, rate, signal)),
    );
    if (this.steps % APART === 0) this.#agree();
    const mean = (key: "loss" | "norm") =>
      results.reduce((sum, result) => sum + result[key], 0) / results.length;
    return { loss: mean("loss"), norm: mean("norm") };
  }

  #agree(): void {
    const [first, ...others] = this.#trainers, share = 1 / this.#trainers.length;
    if (others.length === 0) return;
    for (const [name, data] of first!.state) {
      const same = others.map((trainer) => trainer.state.get(name)!);
      for (let i = 0; i < data.length; i++) {
        let sum = data[i]!;
        for (const other of same) sum += other[i]!;
        data[i] = sum * share;
      }
      for (const other of same) other.set(data);
    }
  }

  /** Releases the sessions. */
  [Symbol.dispose](): void {
    for (const trainer of this.#trainers) trainer[Symbol.dispose]();
  }
}
