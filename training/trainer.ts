import type { IoBinding } from "../ffi/io_binding.ts";
import type { Runtime } from "../ffi/runtime.ts";
import type { Session } from "../ffi/session.ts";
import { Tensor } from "../ffi/tensor.ts";
import { leaves, reachable } from "../graph/reachable.ts";
import { elementCount } from "../graph/shape.ts";
import type { Value } from "../graph/value.ts";
import type { SessionBuilder } from "../pipeline/session_builder.ts";
import { LossScale } from "./loss_scale.ts";
import { inputName, type StateTensor, type TrainingStep } from "./training_step.ts";

/** The name of what the loss is multiplied by in half precision, as input and in checkpoints. */
const LOSS_SCALE = "loss_scale";

/** What one step had to say. */
export interface StepResult {
  /** The loss before the update. */
  readonly loss: number;
  /** The length of all gradients as one vector, before clipping. */
  readonly norm: number;
  /** In half precision: how often it was repeated at a smaller scale, since gradients overflowed. */
  readonly overflows?: number;
  /** In half precision: what the loss was multiplied by. */
  readonly lossScale?: number;
}

/** A step came out with what is no number; the trainer keeps the state before it. */
export class DivergedError extends Error {
  /** The class name. */
  override readonly name = "DivergedError";
  /** `step`: which one, from 0 on; `loss`, and lengths of gradient and parameters, as they were. */
  constructor(
    readonly step: number,
    readonly loss: number,
    readonly norm: number,
    readonly size: number,
  ) {
    super(
      `Cannot go on training: at step ${
        step + 1
      } the loss was ${loss}, the length of the gradient ` +
        `${norm} and of the parameters ${size}. Go on from the last checkpoint, if any, with ` +
        "--resume and a lower learning rate.",
    );
  }
}

/** Arrays fed to a step by the names of the graph's inputs. */
export type Batch = Readonly<Record<string, Float32Array | BigInt64Array>>;

/**
 * Runs a step again and again. Parameters and the optimizer's memory live in two sets of buffers
 * that trade places: a step reads one and writes the other, so what it read is whole until the
 * step turns out well. Owns native memory: dispose it.
 */
export class Trainer implements Disposable {
  /** Steps done. */
  #steps = 0;
  readonly #step: TrainingStep;
  readonly #session: Session;
  readonly #buffers: readonly [Map<string, Float32Array>, Map<string, Float32Array>];
  readonly #bindings: readonly [IoBinding, IoBinding];
  readonly #feeds = new Map<string, Float32Array | BigInt64Array>();
  readonly #results = {
    loss: new Float32Array(1),
    norm: new Float32Array(1),
    size: new Float32Array(1),
  };
  readonly #scale: LossScale | undefined;
  #current: 0 | 1 = 0;

  private constructor(
    runtime: Runtime,
    step: TrainingStep,
    session: Session,
    inputs: Value[],
    scale: LossScale | undefined,
  ) {
    this.#step = step;
    this.#session = session;
    this.#scale = scale;
    const fresh = () => {
      const buffers = new Map<string, Float32Array>(
        step.state.map(({ name, now }) => [name, new Float32Array(sizeOf(now))]),
      );
      return scale ? buffers.set(LOSS_SCALE, scale.state) : buffers;
    };
    this.#buffers = [fresh(), fresh()];
    const tensor = (value: Value, data: Float32Array | BigInt64Array) =>
      Tensor.from(runtime, value.dtype as "float32", data as Float32Array, value.shape as number[]);
    const fed = inputs.map((value) => {
      const size = sizeOf(value);
      const array = value.dtype === "int64" ? new BigInt64Array(size) : new Float32Array(size);
      this.#feeds.set(inputName(value), array);
      return [inputName(value), tensor(value, array)] as const;
    });
    const sets = this.#buffers.map((buffers) =>
      step.state.map(({ name, now }) => [name, tensor(now, buffers.get(name)!)] as const)
    );
    const results = [["loss", step.loss], ["norm", step.norm], ["size", step.size]] as const;
    const told = results.map(([name, value]) =>
      [name, tensor(value, this.#results[name])] as const
    );
    const bind = (from: number) => {
      const binding = session.bind();
      for (const [name, value] of [...fed, ...sets[from]!]) binding.bindInput(name, value);
      for (const [name, value] of sets[1 - from]!) binding.bindOutput(`next/${name}`, value);
      for (const [name, value] of told) binding.bindOutput(name, value);
      return binding;
    };
    this.#bindings = [bind(0), bind(1)];
  }

  /**
   * Builds the session of `step`; parameters begin as `initial` says, all else at zero. `lossScale`
   * is where the scale of a step in half precision begins.
   */
  static async create(
    builder: SessionBuilder,
    step: TrainingStep,
    initial: ReadonlyMap<string, Float32Array>,
    lossScale?: number,
  ): Promise<Trainer> {
    const outputs: Record<string, Value> = { loss: step.loss, norm: step.norm, size: step.size };
    for (const { name, next } of step.state) outputs[`next/${name}`] = next;
    const state = new Set(step.state.map(({ now }) => now));
    const inputs = leaves(reachable(Object.values(outputs)))
      .filter((value) => value.node.kind === "input" && !state.has(value));
    const graph = { inputs: [...inputs, ...state], outputs, parameters: [], unexpected: [] };
    const session = await builder.build({ name: "training_step", ...graph }, { backward: true });
    const scale = step.lossScaling ? new LossScale(lossScale) : undefined;
    const trainer = new Trainer(builder.runtime, step, session, inputs, scale);
    trainer.#begin(initial);
    return trainer;
  }

  /** Steps done so far. */
  get steps(): number {
    return this.#steps;
  }

  /** What the step remembers: names with live arrays, valid until the next step. */
  get state(): ReadonlyMap<string, Float32Array> {
    return this.#buffers[this.#current];
  }

  /** The tensors of one role, by the parameter they are of: "parameter", "average". */
  byParameter(role: "parameter" | "average"): Map<string, Float32Array> {
    const of = this.#step.state.filter((tensor) => tensor.role === role);
    return new Map(of.map(({ name, of }) => [of, this.state.get(name)!]));
  }

  /** Continues from a state of `steps` steps; throws RangeError for tensors that do not fit. */
  restore(state: ReadonlyMap<string, Float32Array>, steps: number): void {
    for (const name of this.state.keys()) this.#set(name, state.get(name));
    this.#steps = steps;
  }

  /**
   * One step on `batch` at a learning rate. Where gradients in half precision overflow, the update is
   * skipped and the step repeated at half the scale.
   *
   * @throws {DivergedError} when loss, gradient or parameters are no numbers; nothing has changed then.
   * @throws {TypeError} for a batch that lacks an input or has one of another size.
   * @throws the signal's reason if it aborts; nothing has changed then.
   */
  async step(batch: Batch, rate: number, signal?: AbortSignal): Promise<StepResult> {
    const { accumulate } = this.#step, done = this.#steps;
    this.#feed({
      ...batch,
      rate: Float32Array.of(rate),
      count: Float32Array.of(Math.floor(done / accumulate) + 1),
      ...(accumulate > 1 && { apply: Float32Array.of(Number((done + 1) % accumulate === 0)) }),
    });
    const scale = this.#scale, before = scale?.overflows ?? 0;
    let lossScale: number | undefined;
    do {
      lossScale = scale?.value;
      if (lossScale !== undefined) this.#feeds.get(LOSS_SCALE)![0] = lossScale;
      await this.#bindings[this.#current].run(signal ? { signal } : {});
    } while (this.#overflowed() && scale!.fall());
    const [loss, norm, size] = this.#told();
    if (![loss, norm, size].every(Number.isFinite)) throw new DivergedError(done, loss, norm, size);
    this.#current = this.#current === 0 ? 1 : 0;
    this.#steps++;
    if (!scale) return { loss, norm };
    scale.succeed();
    return { loss, norm, overflows: scale.overflows - before, lossScale: lossScale! };
  }

  /** Releases the session. */
  [Symbol.dispose](): void {
    for (const binding of this.#bindings) binding.dispose();
    this.#session.dispose();
  }

  /** Whether the gradient of a good loss is no number in half precision: a smaller scale may help. */
  #overflowed(): boolean {
    const [loss, norm] = this.#told();
    return this.#scale !== undefined && Number.isFinite(loss) && !Number.isFinite(norm);
  }

  #told(): [loss: number, norm: number, size: number] {
    const { loss, norm, size } = this.#results;
    return [loss[0]!, norm[0]!, size[0]!];
  }

  #begin(initial: ReadonlyMap<string, Float32Array>): void {
    for (const { name, of, role } of this.#step.state) {
      if (role === "parameter" || role === "average") this.#set(name, initial.get(of));
    }
  }

  #set(name: string, data: Float32Array | undefined): void {
    const array = this.#buffers[this.#current].get(name)!;
    if (data?.length !== array.length) {
      throw new RangeError(
        `Cannot set ${name}: got ${data?.length ?? "no"} numbers, expected ${array.length}.`,
      );
    }
    array.set(data);
  }

  #feed(batch: Batch): void {
    for (const [name, array] of this.#feeds) {
      if (name === LOSS_SCALE && this.#scale) continue; // of each run
      const data = batch[name];
      if (data?.constructor !== array.constructor || data.length !== array.length) {
        throw new TypeError(
          `Cannot feed ${name}: got ${data?.length ?? "no"} elements of ` +
            `${data?.constructor.name ?? "nothing"}, expected ${array.length} of ` +
            `${array.constructor.name}.`,
        );
      }
      array.set(data as never);
    }
  }
}

function sizeOf({ shape }: Value | StateTensor["now"]): number {
  const count = elementCount(shape);
  if (typeof count === "number") return count;
  throw new RangeError(`Cannot train with a variable size ${count}. Build with fixed sizes.`);
}
