/**
 * Optimizers as graph functions: from a parameter, its gradient and what the optimizer remembers
 * to the next of each. What is remembered starts at zero.
 */
import { add, div, mul, pow, sub } from "../graph/ops/arithmetic.ts";
import { sign, sqrt } from "../graph/ops/elementwise.ts";
import type { Value } from "../graph/value.ts";
import { square } from "./losses.ts";

/** When an update happens; scalars, float32. */
export interface Moment {
  /** Learning rate. */
  readonly rate: Value;
  /** Which update it is, from 1 on. */
  readonly count: Value;
}

/** One parameter with all that belongs to it. */
export interface Slots {
  /** The parameter. */
  readonly parameter: Value;
  /** What the optimizer remembers of it, in the order of `slots`. */
  readonly memory: readonly Value[];
}

/** A rule of descent. */
export interface Optimizer {
  /** Its name in checkpoints. */
  readonly name: string;
  /** Names of the tensors that it remembers, each of the parameter's shape. */
  readonly slots: readonly string[];
  /** The next state from this one, down `gradient`. */
  update(now: Slots, gradient: Value, at: Moment): Slots;
}

/** `decay * old + (1 - decay) * fresh` */
function blend(old: Value, fresh: Value, decay: number): Value {
  return add(mul(old, decay), mul(fresh, 1 - decay));
}

/** The gradient of the loss plus `decay / 2 * |parameter|^2`. */
function withPenalty(gradient: Value, parameter: Value, decay: number): Value {
  return decay === 0 ? gradient : add(gradient, mul(parameter, decay));
}

/** A parameter shrunk by `rate * decay`, apart from the gradient (arXiv:1711.05101). */
function shrunk(parameter: Value, rate: Value, decay: number): Value {
  return decay === 0 ? parameter : mul(parameter, sub(1, mul(rate, decay)));
}

/** Gradient descent, as `torch.optim.SGD` without momentum. */
export function sgd({ weightDecay = 0 } = {}): Optimizer {
  return {
    name: "sgd",
    slots: [],
    update: ({ parameter, memory }, gradient, { rate }) => ({
      parameter: sub(parameter, mul(withPenalty(gradient, parameter, weightDecay), rate)),
      memory,
    }),
  };
}

/** Descent with momentum (Polyak 1964; `nesterov` 1983), as `torch.optim.SGD`. */
export function momentum(
  { momentum = 0.9, nesterov = false, weightDecay = 0 } = {},
): Optimizer {
  return {
    name: "momentum",
    slots: ["velocity"],
    update({ parameter, memory: [old] }, gradient, { rate }) {
      const g = withPenalty(gradient, parameter, weightDecay);
      const velocity = add(mul(old!, momentum), g);
      const direction = nesterov ? add(g, mul(velocity, momentum)) : velocity;
      return { parameter: sub(parameter, mul(direction, rate)), memory: [velocity] };
    },
  };
}

/** Gradients divided by their recent size (Hinton 2012), as `torch.optim.RMSprop`. */
export function rmsprop({ decay = 0.99, epsilon = 1e-8, weightDecay = 0 } = {}): Optimizer {
  return {
    name: "rmsprop",
    slots: ["squares"],
    update({ parameter, memory: [old] }, gradient, { rate }) {
      const g = withPenalty(gradient, parameter, weightDecay);
      const squares = blend(old!, square(g), decay);
      const direction = div(g, add(sqrt(squares), epsilon));
      return { parameter: sub(parameter, mul(direction, rate)), memory: [squares] };
    },
  };
}

/** Options of Adam and AdamW. */
export interface AdamOptions {
  /** Decays of the mean and of the mean square. Default 0.9 and 0.999. */
  readonly betas?: readonly [number, number];
  /** Added to the root of the mean square. Default 1e-8. */
  readonly epsilon?: number;
  /** Default 0 for Adam, where it joins the gradient; 0.01 for AdamW. */
  readonly weightDecay?: number;
}

/** Adam (Kingma & Ba 2015, arXiv:1412.6980), as `torch.optim.Adam`. */
export function adam({ weightDecay = 0, ...options }: AdamOptions = {}): Optimizer {
  return {
    name: "adam",
    slots: ADAM_SLOTS,
    update: (now, gradient, at) =>
      adamUpdate(now, withPenalty(gradient, now.parameter, weightDecay), at, options),
  };
}

/** Adam whose weight decay is its own (Loshchilov & Hutter 2019), as `torch.optim.AdamW`. */
export function adamw({ weightDecay = 0.01, ...options }: AdamOptions = {}): Optimizer {
  return {
    name: "adamw",
    slots: ADAM_SLOTS,
    update: ({ parameter, memory }, gradient, at) => {
      const now = { parameter: shrunk(parameter, at.rate, weightDecay), memory };
      return adamUpdate(now, gradient, at, options);
    },
  };
}

const ADAM_SLOTS = ["mean", "square"];

function adamUpdate(
  { parameter, memory: [oldMean, oldSquare] }: Slots,
  gradient: Value,
  { rate, count }: Moment,
  { betas: [b1, b2] = [0.9, 0.999], epsilon = 1e-8 }: AdamOptions,
): Slots {
  const mean = blend(oldMean!, gradient, b1), squares = blend(oldSquare!, square(gradient), b2);
  // Both means began at zero: what they lack is divided out, of the scalars rather than of them.
  const lack = sqrt(sub(1, pow(b2, count)));
  const stride = mul(div(rate, sub(1, pow(b1, count))), lack);
  const size = add(sqrt(squares), mul(epsilon, lack));
  return { parameter: sub(parameter, mul(div(mean, size), stride)), memory: [mean, squares] };
}

/** Steps of one size by the sign of the momentum (Chen et al. 2023, arXiv:2302.06675). */
export function lion(
  { betas: [b1, b2] = [0.9, 0.99] as readonly [number, number], weightDecay = 0 } = {},
): Optimizer {
  return {
    name: "lion",
    slots: ["mean"],
    update({ parameter, memory: [old] }, gradient, { rate }) {
      const direction = sign(blend(old!, gradient, b1));
      return {
        parameter: sub(shrunk(parameter, rate, weightDecay), mul(direction, rate)),
        memory: [blend(old!, gradient, b2)],
      };
    },
  };
}
