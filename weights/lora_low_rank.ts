import type { LoraLayer } from "./lora_file.ts";
import { ModelFormatError } from "./model_format_error.ts";
import { toFloat32 } from "./read.ts";
import { elementCount } from "./stored_tensor.ts";
import { transposed } from "./transposed.ts";

/** The change of a weight [out, inputs] as two matrices: `up` transposed times `down`. */
export interface LowRank {
  /** Rows of both. */
  readonly rank: number;
  /** Float32Array [rank, inputs]; a convolution's inputs are [in, height, width], flat. */
  readonly down: Float32Array;
  /** Float32Array [rank, out], with alpha / rank in it. */
  readonly up: Float32Array;
}

/** Whether the layer is two matrices: LoHa, LoKr, whole differences and DoRA are not. */
export function isLowRank({ update, magnitude }: LoraLayer): boolean {
  return update.kind === "lora" && magnitude === undefined;
}

/**
 * The matrices of a layer for a weight of `shape`, scaled. Throws ModelFormatError for one that is
 * no two matrices, or whose matrices do not fit the weight.
 */
export async function lowRank(layer: LoraLayer, shape: readonly number[]): Promise<LowRank> {
  const { update, path, key, scale } = layer;
  if (update.kind !== "lora" || !isLowRank(layer)) {
    throw new ModelFormatError(`Cannot use LoRA layer ${key} as two matrices: it is none.`, {
      path,
      key,
    });
  }
  const columns = update.up.shape[1] ?? 0;
  const up = transposed(await toFloat32(update.up), columns).map((value) => scale * value);
  const second = await toFloat32(update.down);
  const down = update.mid === undefined
    ? second
    : withMiddle(await toFloat32(update.mid), update.mid.shape, second);
  const [out] = shape as [number], inputs = elementCount(shape) / out;
  if (up.length === columns * out && down.length === columns * inputs) {
    return { rank: columns, down, up };
  }
  throw new ModelFormatError(
    `Cannot apply LoRA layer ${key}: its matrices are [${update.up.shape}] and ` +
      `[${update.down.shape}]; expected them to make [${shape}].`,
    { path, key },
  );
}

/** A convolution `middle` [p, q, ...k] after the 1x1 one `down` [q, in], as one: [p, in, ...k]. */
export function withMiddle(
  middle: Float32Array,
  [p, q]: readonly number[],
  down: Float32Array,
): Float32Array {
  const area = middle.length / (p! * q!), inputs = down.length / q!;
  const out = new Float32Array(p! * inputs * area);
  for (let a = 0; a < p!; a++) {
    for (let b = 0; b < q!; b++) {
      for (let i = 0; i < inputs; i++) {
        const factor = down[b * inputs + i]!;
        for (let k = 0; k < area; k++) {
          out[(a * inputs + i) * area + k]! += factor * middle[(a * q! + b) * area + k]!;
        }
      }
    }
  }
  return out;
}
