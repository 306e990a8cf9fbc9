/** Three small networks that look at digits of 28 x 28 pixels, as graph functions. */
import { silu } from "../graph/ops/activation.ts";
import { add, div, mul, sub } from "../graph/ops/arithmetic.ts";
import { conv } from "../graph/ops/conv.ts";
import { cos, log, sin, sqrt } from "../graph/ops/elementwise.ts";
import { concat } from "../graph/ops/join.ts";
import { linear } from "../graph/ops/linalg.ts";
import { expand, reshape } from "../graph/ops/movement.ts";
import { reduceSum } from "../graph/ops/reduce.ts";
import { resizeNearest } from "../graph/ops/resize.ts";
import { fixed } from "../graph/shape.ts";
import { input, type Value } from "../graph/value.ts";
import { TorchCpuGenerator } from "../schedulers/random/torch_cpu.ts";
import { derivedSeed } from "./derived_seed.ts";
import { DIGIT_SIDE } from "./digits_data.ts";

/** Weights made while a network is built: the same name gives the same weight. */
export class Weights {
  readonly #seed: number;
  readonly #values = new Map<string, Value>();
  readonly #initial = new Map<string, Float32Array>();

  /** `seed` decides what they begin as. */
  constructor(seed: number) {
    this.#seed = seed;
  }

  /** Graph inputs, to train or to feed. */
  get parameters(): Value[] {
    return [...this.#values.values()];
  }

  /** How they begin, by name. */
  get initial(): ReadonlyMap<string, Float32Array> {
    return this.#initial;
  }

  /** A weight of normal numbers with variance 2 / inputs (He et al. 2015), or another; a bias of zeros. */
  make(name: string, shape: readonly number[], variance = 2): Value {
    const known = this.#values.get(name);
    if (known) return known;
    const size = shape.reduce((a, b) => a * b, 1), inputs = size / shape[0]!;
    const random = new TorchCpuGenerator(derivedSeed(this.#seed, 0, name));
    const deviation = shape.length === 1 ? 0 : Math.sqrt(variance / inputs);
    const value = input(name, "float32", shape);
    this.#initial.set(name, random.normal(size).map((z) => z * deviation));
    this.#values.set(name, value);
    return value;
  }
}

/** The input of a batch of pictures, [B, 1, 28, 28]. */
export function pictureInput(batch: number, name = "pictures"): Value {
  return input(name, "float32", [batch, 1, DIGIT_SIDE, DIGIT_SIDE]);
}

/**
 * Which digit it is: logits [B, 10], by two convolutions that halve the size, a third, and a linear
 * layer.
 */
export function digitClassifier(pictures: Value, weights: Weights): Value {
  let h = silu(convolution(pictures, weights, "classifier.0", 16, 2));
  h = silu(convolution(h, weights, "classifier.1", 32, 2));
  h = silu(convolution(h, weights, "classifier.2", 32, 1));
  const [batch, ...rest] = h.shape as number[];
  const features = rest.reduce((a, b) => a * b, 1);
  return linear(
    reshape(h, [batch!, features]),
    weights.make("classifier.3.weight", [10, features]),
    weights.make("classifier.3.bias", [10]),
  );
}

/** Mean and deviation of the training digits' pixels. */
export const PIXELS = { mean: -0.74, deviation: 0.62 };

/** Neurons of a layer of the network that judges likeness. */
const WIDTH = 512;

/**
 * How digit-like pictures are that hold noise of deviation `level` [B]: [B], in squared pixels. Its
 * slope is what has to be added to each pixel for the digit behind the noise, so far as that can be told;
 * divided by the level's square it is the slope of log p(picture; level).
 *
 * A bowl around the mean of all pixels, and a network of all pixels at once that bends it, each with the
 * weight that keeps what the network has to say of one size at every level (Karras et al. 2022,
 * arXiv:2206.00364, table 1, for the slope).
 */
export function digitLikeness(pictures: Value, level: Value, weights: Weights): Value {
  const batch = fixed("likeness", pictures.shape, 0);
  const column = reshape(level, [batch, 1]), variance = mul(column, column);
  const total = add(variance, PIXELS.deviation ** 2), root = sqrt(total);
  const centred = sub(reshape(pictures, [batch, DIGIT_SIDE * DIGIT_SIDE]), PIXELS.mean);
  const said = mul(bend(div(centred, root), column, weights), 30);
  const bowl = reduceSum(mul(centred, centred), { axes: [1], keepDims: true });
  const likeness = sub(
    mul(mul(said, column), PIXELS.deviation),
    mul(div(mul(bowl, variance), total), 0.5),
  );
  return reshape(likeness, [batch]);
}

/** One number for each row of pixels, by three layers that are told the level too. */
function bend(pixels: Value, level: Value, weights: Weights): Value {
  const angle = mul(log(level), Math.PI / 4);
  const told = [1, 2, 3, 4].flatMap((k) => [sin(mul(angle, k)), cos(mul(angle, k))]);
  const seen = concat([pixels, ...told], 1), inputs = seen.shape[1] as number;
  const layer = (x: Value, name: string, outputs: number, inputs: number) =>
    linear(
      x,
      weights.make(`likeness.${name}.weight`, [outputs, inputs], 1 / 3),
      weights.make(`likeness.${name}.bias`, [outputs]),
    );
  let h = silu(layer(seen, "0", WIDTH, inputs));
  for (const name of ["1", "2"]) h = add(h, silu(layer(h, name, WIDTH, WIDTH)));
  return layer(h, "3", 1, WIDTH);
}

/**
 * The noise in pictures [B, 1, 28, 28] that hold `level` [B] of it: a U-Net of two resolutions in
 * the space of pixels.
 */
export function pixelDenoiser(pictures: Value, level: Value, weights: Weights): Value {
  const [batch] = pictures.shape as number[];
  const map = expand(reshape(level, [batch!, 1, 1, 1]), pictures.shape);
  const fine = silu(convolution(concat([pictures, map], 1), weights, "denoiser.0", 24, 1));
  let h = silu(convolution(fine, weights, "denoiser.1", 48, 2));
  h = silu(convolution(h, weights, "denoiser.2", 48, 2));
  h = silu(convolution(h, weights, "denoiser.3", 48, 1));
  h = silu(convolution(h, weights, "denoiser.4", 48, 1));
  h = silu(convolution(resizeNearest(h, { scales: [2, 2] }), weights, "denoiser.5", 48, 1));
  h = resizeNearest(h, { scales: [2, 2] });
  h = silu(convolution(concat([h, fine], 1), weights, "denoiser.6", 24, 1));
  return convolution(h, weights, "denoiser.7", 1, 1);
}

/** 3 x 3, padded. */
function convolution(
  x: Value,
  weights: Weights,
  name: string,
  channels: number,
  strides: number,
): Value {
  const w = weights.make(`${name}.weight`, [channels, fixed("convolution", x.shape, 1), 3, 3]);
  return conv(x, w, weights.make(`${name}.bias`, [channels]), { strides, pads: 1 });
}
