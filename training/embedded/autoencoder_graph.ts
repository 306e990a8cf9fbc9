/** What the autoencoder is trained by: pictures through both halves in one graph. */
import { add, mul, sub } from "../../graph/ops/arithmetic.ts";
import { abs, exp } from "../../graph/ops/elementwise.ts";
import { slice } from "../../graph/ops/join.ts";
import { reduceMean } from "../../graph/ops/reduce.ts";
import { scope } from "../../graph/scope.ts";
import { input, type Value } from "../../graph/value.ts";
import type { VaeConfig } from "../../models/vae_config.ts";
import { vaeDecoder } from "../../models/vae_decoder.ts";
import { vaeEncoder } from "../../models/vae_encoder.ts";
import type { Network } from "../../pipeline/model_parts.ts";
import { TorchCpuGenerator } from "../../schedulers/random/torch_cpu.ts";
import { derivedSeed } from "../derived_seed.ts";
import { gaussianKl, square } from "../losses.ts";
import type { Batch } from "../trainer.ts";
import { draw, drawTraits, SIDE } from "./drawing.ts";
import type { Fields } from "./fields.ts";

/** How much latents are held near N(0, 1), for each number of a latent. */
const KL_WEIGHT = 2e-4;

/** Pictures of `side` pixels, `batch` at once. */
export interface AutoencoderShape {
  readonly batch: number;
  readonly side: number;
}

/** Pictures, and what of the autoencoder learns from them. */
export interface AutoencoderTask extends AutoencoderShape {
  /** The encoder stays as it is, and so do latents that were made with it. */
  readonly encoderLocked: boolean;
}

/**
 * The loss of reconstructing: absolute and squared differences, those of the ink four times, the
 * differences of neighbouring pixels, and the latents' divergence from N(0, 1).
 *
 * Fed: `image` [B, 3, s, s], `ink` [B, 1, s, s] (1, or 4 at the digit), `noise` [B, 4, s/4, s/4].
 */
export function autoencoderGraph(
  vae: Network<VaeConfig>,
  { batch, side, encoderLocked }: AutoencoderTask,
) {
  const config = { ...vae.config, scalingFactor: 1, shiftFactor: 0 };
  const latents = side / config.factor, shape = { batch, height: latents, width: latents };
  const image = input("image", "float32", [batch, config.inChannels, side, side]);
  const encoder = scope(
    "encode",
    () =>
      vaeEncoder(config, vae.weights, shape, {
        parameter: () => !encoderLocked,
        values: { image },
      }),
  );
  const { mean, logvar } = encoder.outputs as Record<"mean" | "logvar", Value>;
  const noise = input("noise", "float32", mean.shape);
  const drawn = add(mean, mul(exp(mul(logvar, 0.5)), noise));
  const decoder = scope(
    "decode",
    () =>
      vaeDecoder(config, vae.weights, shape, {
        parameter: () => true,
        values: { latents: drawn },
      }),
  );
  const error = sub(decoder.outputs.image!, image);
  const ink = input("ink", "float32", [batch, 1, side, side]);
  const numbers = config.latentChannels * latents * latents;
  const terms = [
    reduceMean(mul(add(abs(error), square(error)), ink)),
    mul(add(steps(error, 2), steps(error, 3)), 0.5),
    mul(gaussianKl(mean, logvar), KL_WEIGHT / numbers),
  ];
  return {
    loss: terms.reduce((a, b) => add(a, b)),
    parameters: [...encoder.parameters, ...decoder.parameters],
  };
}

/** The mean absolute difference of neighbours along an axis. */
function steps(x: Value, axis: number): Value {
  const size = x.shape[axis] as number;
  return reduceMean(abs(sub(slice(x, [1], [size], [axis]), slice(x, [0], [size - 1], [axis]))));
}

/** Batch `step`: whole pictures, or pieces of them from near the middle where the side is less. */
export function autoencoderBatch(
  fields: Fields,
  { batch, side }: AutoencoderShape,
  seed: number,
  step: number,
): Batch {
  const random = new TorchCpuGenerator(derivedSeed(seed, step, "autoencoder"));
  const { pictures, coverage } = draw(fields, drawTraits(fields, batch, random), random);
  const room = SIDE - side, edge = Math.min(8, room >> 1);
  const [x, y] = random.integers(edge, room - edge + 1, 2) as unknown as [number, number];
  return {
    image: cropped(pictures, 3 * batch, x, y, side),
    ink: cropped(near(coverage, batch), batch, x, y, side).map((share) => 1 + 3 * share),
    noise: random.normal(batch * 4 * (side / 4) ** 2),
  };
}

/** The largest share of ink within a pixel's distance. */
function near(coverage: Float32Array, planes: number): Float32Array {
  const out = new Float32Array(coverage.length), size = SIDE * SIDE;
  for (let p = 0; p < planes; p++) {
    for (let y = 0; y < SIDE; y++) {
      for (let x = 0; x < SIDE; x++) {
        let most = 0;
        for (let j = Math.max(0, y - 1); j <= Math.min(SIDE - 1, y + 1); j++) {
          for (let i = Math.max(0, x - 1); i <= Math.min(SIDE - 1, x + 1); i++) {
            const value = coverage[p * size + j * SIDE + i]!;
            if (value > most) most = value;
          }
        }
        out[p * size + y * SIDE + x] = most;
      }
    }
  }
  return out;
}

/** A square out of each plane of 64 x 64. */
function cropped(data: Float32Array, planes: number, x: number, y: number, side: number) {
  const out = new Float32Array(planes * side * side);
  for (let p = 0; p < planes; p++) {
    for (let row = 0; row < side; row++) {
      const at = (p * SIDE + y + row) * SIDE + x;
      out.set(data.subarray(at, at + side), (p * side + row) * side);
    }
  }
  return out;
}
