/** One step of training as one graph: forward, backward, update. */
import { add, div, greater, max, mul, sub, where } from "../graph/ops/arithmetic.ts";
import { grad } from "../graph/grad.ts";
import { scope } from "../graph/scope.ts";
import { input, type Value } from "../graph/value.ts";
import { blockOf } from "./blocks.ts";
import { clipByNorm, globalNorm } from "./clip_gradients.ts";
import type { Optimizer, Slots } from "./optimizers.ts";

/** What is trained, and how. */
export interface TrainingStepOptions {
  /** The graph inputs that change: `input(name, "float32", shape)`. */
  readonly parameters: readonly Value[];
  /** A scalar, made from them. */
  readonly loss: Value;
  /** The rule of descent. */
  readonly optimizer: Optimizer;
  /** Gradients longer than this, all taken together, are shortened. Default: they are not. */
  readonly clipNorm?: number | undefined;
  /** Runs whose gradients are averaged into one update. Default 1. */
  readonly accumulate?: number | undefined;
  /** Recomputes the blocks of the networks in the backward pass; see `blockOf`. Default false. */
  readonly checkpointing?: boolean | undefined;
  /** Keeps a second set of parameters that follows by this decay: an exponential average. */
  readonly average?: number | undefined;
  /**
   * The average's decay rises with the updates n as (1 + n) / (10 + n) up to `average`, so that it
   * forgets how the parameters began. Default false.
   */
  readonly averageRises?: boolean | undefined;
  /**
   * Where the network is in half precision: the loss is multiplied by the scalar `loss_scale`, which
   * the step is then fed, and the gradients are divided by it. Default false.
   */
  readonly lossScaling?: boolean | undefined;
}

/** A tensor that a step reads and gives back changed. */
export interface StateTensor {
  /** Its name among the graph's inputs; its next value is the output `next/NAME`. */
  readonly name: string;
  /** The input. */
  readonly now: Value;
  /** What it becomes. */
  readonly next: Value;
  /** What it is of: the parameter's name. */
  readonly of: string;
  /** `parameter`, `average`, `gradient`, or one of the optimizer's slots. */
  readonly role: string;
}

/**
 * The graph of a step. Beside the batch it is fed scalars: the learning `rate`, the `count` of the
 * update from 1 on, and where gradients accumulate whether to `apply` them now.
 */
export interface TrainingStep {
  /** The loss. */
  readonly loss: Value;
  /** The length of all gradients as one vector, before clipping. */
  readonly norm: Value;
  /** The length of all parameters after the update, as one vector. */
  readonly size: Value;
  /** All that a step remembers. */
  readonly state: readonly StateTensor[];
  /** Runs for each update. */
  readonly accumulate: number;
  /** Whether it is fed a `loss_scale`. */
  readonly lossScaling: boolean;
}

/** Builds the step. Throws GradientError where the loss cannot be differentiated. */
export function trainingStep(options: TrainingStepOptions): TrainingStep {
  const { parameters, loss, optimizer, accumulate = 1, clipNorm, average } = options;
  const { lossScaling = false } = options;
  const again = options.checkpointing ? { recompute: blockOf } : {};
  const scale = lossScaling ? input("loss_scale", "float32", []) : undefined;
  const raw = grad(scale ? mul(loss, scale) : loss, parameters, undefined, again);
  return scope("update", () => {
    const rate = input("rate", "float32", []), count = input("count", "float32", []);
    const apply = accumulate > 1 ? input("apply", "float32", []) : undefined;
    const state: StateTensor[] = [];
    const keep = (of: string, role: string, now: Value, next: Value) =>
      state.push({ name: nameOf(of, role), now, next, of, role });
    const remembered = (of: Value, role: string) =>
      input(nameOf(inputName(of), role), "float32", of.shape);

    const share = average === undefined
      ? undefined
      : options.averageRises
      ? max(1 - average, div(9, add(count, 10)))
      : 1 - average;
    const gathered = apply ? parameters.map((p) => remembered(p, "gradient")) : [];
    const weight = scale ? div(1 / accumulate, scale) : 1 / accumulate;
    const weighed = scale || apply ? raw.map((g) => mul(g, weight)) : raw;
    const sums = apply ? weighed.map((g, i) => add(gathered[i]!, g)) : weighed;
    const norm = globalNorm(sums);
    const gradients = clipNorm === undefined ? sums : clipByNorm(sums, norm, clipNorm);
    const now = apply && greater(apply, 0);
    const whenApplied = (next: Value, old: Value) => now ? where(now, next, old) : next;
    parameters.forEach((parameter, i) => {
      const of = inputName(parameter);
      const before: Slots = {
        parameter,
        memory: optimizer.slots.map((slot) => remembered(parameter, slot)),
      };
      const after = optimizer.update(before, gradients[i]!, { rate, count });
      const next = whenApplied(after.parameter, parameter);
      keep(of, "parameter", parameter, next);
      optimizer.slots.forEach((slot, k) => {
        const old = before.memory[k]!;
        keep(of, slot, old, whenApplied(after.memory[k]!, old));
      });
      if (average !== undefined) {
        const old = remembered(parameter, "average");
        const moved = add(old, mul(sub(next, old), share!));
        keep(of, "average", old, whenApplied(moved, old));
      }
      if (now) keep(of, "gradient", gathered[i]!, where(now, 0, sums[i]!));
    });
    const changed = state.filter(({ role }) => role === "parameter").map(({ next }) => next);
    return { loss, norm, size: globalNorm(changed), state, accumulate, lossScaling };
  });
}

/** The name of a graph input; throws TypeError for any other value. */
export function inputName({ node }: Value): string {
  if (node.kind === "input") return node.name;
  throw new TypeError(
    `Cannot train a ${node.kind} value: only inputs of the graph change. Make it with input().`,
  );
}

/** The name of a tensor that belongs to a parameter. */
function nameOf(parameter: string, role: string): string {
  return role === "parameter" ? parameter : `${parameter}/${role}`;
}
