import type { Factor, LoraLayer } from "./lora_file.ts";
import { withMiddle } from "./lora_low_rank.ts";
import { ModelFormatError } from "./model_format_error.ts";
import { toFloat32 } from "./read.ts";
import { elementCount } from "./stored_tensor.ts";
import type { StoredTensor } from "./stored_tensor.ts";
import { transposed } from "./transposed.ts";

interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float32Array;
}

/**
 * The change of a weight of `shape` ([out, in] or [out, in, height, width]) at full strength,
 * scaled by alpha / rank: Float32Array of as many elements. DoRA's magnitudes are not in it.
 * Throws ModelFormatError when the layer's parts do not make such a weight.
 */
export async function loraDelta(layer: LoraLayer, shape: readonly number[]): Promise<Float32Array> {
  const delta = await unscaled(layer, shape);
  if (delta.length !== elementCount(shape)) {
    throw new ModelFormatError(
      `Cannot apply LoRA layer ${layer.key}: its parts make ${delta.length} elements; ` +
        `expected [${shape}]. Is it for another family?`,
      { path: layer.path, key: layer.key },
    );
  }
  for (let i = 0; i < delta.length; i++) delta[i]! *= layer.scale;
  return delta;
}

/**
 * A weight with the layer's change added at `strength`, in place: `weight` is float32 of `shape`.
 * With DoRA's magnitudes, rows (or columns, as the file has them) get those lengths.
 */
export async function mergeLora(
  weight: Float32Array,
  shape: readonly number[],
  layer: LoraLayer,
  strength: number,
): Promise<void> {
  const delta = await loraDelta(layer, shape);
  if (layer.magnitude === undefined) {
    for (let i = 0; i < weight.length; i++) weight[i]! += strength * delta[i]!;
    return;
  }
  for (let i = 0; i < weight.length; i++) delta[i]! += weight[i]!;
  renorm(delta, shape, await toFloat32(layer.magnitude.tensor), layer);
  for (let i = 0; i < weight.length; i++) weight[i]! += strength * (delta[i]! - weight[i]!);
}

async function unscaled({ update }: LoraLayer, shape: readonly number[]): Promise<Float32Array> {
  switch (update.kind) {
    case "full":
      return await toFloat32(update.difference);
    case "lora": {
      const up = await matrix(update.up), down = await matrix(update.down);
      if (update.mid === undefined) return product(up, down).values;
      return tucker(await toFloat32(update.mid), update.mid.shape, up, down);
    }
    case "loha": {
      const [a, b] = await Promise.all([update.first, update.second].map(async (pair, i) => {
        const core = update.cores?.[i];
        const left = await matrix(pair[0]), right = await matrix(pair[1]);
        if (core === undefined) return product(left, right).values;
        return tucker(await toFloat32(core), core.shape, turned(left), right);
      }));
      return a!.map((x, i) => x * b![i]!);
    }
    case "lokr": {
      const left = await whole(update.left);
      const right = await lokrRight(update.right, update.core);
      return kronecker(left, right, shape);
    }
  }
}

/** First axis by all others: a convolution's weight as a matrix. */
async function matrix(tensor: StoredTensor): Promise<Matrix> {
  const rows = tensor.shape[0] ?? 1;
  return { rows, columns: elementCount(tensor.shape) / rows, values: await toFloat32(tensor) };
}

async function whole(factor: Factor): Promise<Matrix> {
  if ("name" in factor) return await matrix(factor);
  return product(await matrix(factor[0]), await matrix(factor[1]));
}

async function lokrRight(factor: Factor, core: StoredTensor | undefined): Promise<Matrix> {
  if (core === undefined || "name" in factor) return await whole(factor);
  const a = turned(await matrix(factor[0])), b = await matrix(factor[1]);
  return { rows: a.rows, columns: 0, values: tucker(await toFloat32(core), core.shape, a, b) };
}

const turned = ({ rows, columns, values }: Matrix): Matrix => ({
  rows: columns,
  columns: rows,
  values: transposed(values, columns),
});

/** Four terms at once, to load and store each element of the result a quarter as often. */
function product(a: Matrix, b: Matrix): Matrix {
  const { columns, values } = b, out = new Float32Array(a.rows * columns);
  for (let r = 0; r < a.rows; r++) {
    const start = r * columns;
    for (let k = 0; k < a.columns; k += 4) {
      const term = (i: number) => k + i < a.columns ? a.values[r * a.columns + k + i]! : 0;
      const row = (i: number) => k + i < a.columns ? (k + i) * columns : 0;
      const f0 = term(0), f1 = term(1), f2 = term(2), f3 = term(3);
      const b0 = row(0), b1 = row(1), b2 = row(2), b3 = row(3);
      for (let c = 0; c < columns; c++) {
        out[start + c]! += f0 * values[b0 + c]! + f1 * values[b1 + c]! +
          f2 * values[b2 + c]! + f3 * values[b3 + c]!;
      }
    }
  }
  return { rows: a.rows, columns, values: out };
}

/** out[o, i, ...k] = sum over p and q of up[o, p] core[p, q, ...k] down[q, i]. */
function tucker(
  core: Float32Array,
  shape: readonly number[],
  up: Matrix,
  down: Matrix,
): Float32Array {
  const [p, q] = shape as [number, number];
  const area = core.length / (p * q), middle = withMiddle(core, shape, down.values);
  return product(up, { rows: p, columns: down.columns * area, values: middle }).values;
}

/** kron(left [a, b], right [c, d, ...k]) = [a c, b d, ...k]. */
function kronecker(left: Matrix, right: Matrix, shape: readonly number[]): Float32Array {
  const area = shape.slice(2).reduce((n, size) => n * size, 1);
  const { rows: a, columns: b } = left, c = right.rows, d = right.values.length / (c * area);
  const out = new Float32Array(left.values.length * right.values.length);
  let at = 0;
  for (let row = 0; row < a * c; row++) {
    for (let column = 0; column < b * d; column++) {
      const factor = left.values[Math.floor(row / c) * b + Math.floor(column / d)]!;
      const from = ((row % c) * d + column % d) * area;
      for (let k = 0; k < area; k++) out[at++] = factor * right.values[from + k]!;
    }
  }
  return out;
}

/** Scales each row, [out], or column, [in], to the length that it should have. */
function renorm(
  weight: Float32Array,
  shape: readonly number[],
  lengths: Float32Array,
  { path, key, magnitude }: LoraLayer,
): void {
  const [rows, columns] = shape as [number, number];
  const area = weight.length / (rows * columns), byRow = magnitude!.of === "rows";
  if (lengths.length !== (byRow ? rows : columns)) {
    throw new ModelFormatError(
      `Cannot apply LoRA layer ${key}: it has ${lengths.length} magnitudes for the ` +
        `${magnitude!.of} of [${shape}].`,
      { path, key },
    );
  }
  const line = (i: number) => byRow ? i / (columns * area) | 0 : (i / area | 0) % columns;
  const squares = new Float64Array(lengths.length);
  for (let i = 0; i < weight.length; i++) squares[line(i)]! += weight[i]! ** 2;
  for (let i = 0; i < weight.length; i++) {
    weight[i]! *= lengths[line(i)]! / Math.sqrt(squares[line(i)]!);
  }
}
