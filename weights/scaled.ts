import { ModelFormatError } from "./model_format_error.ts";
import { toFloat32 } from "./read.ts";
import {
  elementCount,
  type StoredTensor,
  type TensorSource,
  tensorSource,
} from "./stored_tensor.ts";

/** A weight's scale beside it, as ComfyUI and others spell it. */
const SCALE = /(^|\.)(scale_weight|weight_scale)$/;
/** What the same tools write for runtimes that multiply in float8, and their mark. */
const UNUSED = /(^|\.)(scale_input|input_scale|scaled_fp8)$/;

/**
 * Gives float8 weights the scales that a file keeps beside them (`X.scale_weight` for `X.weight`), and
 * leaves those out of the names. Throws ModelFormatError for scales that are not one number.
 */
export async function withScales(source: TensorSource): Promise<TensorSource> {
  const names = [...source.names()];
  if (!names.some((name) => SCALE.test(name) || UNUSED.test(name))) return source;
  const scales = new Map<string, number>();
  for (const name of names.filter((one) => SCALE.test(one))) {
    scales.set(name.replace(SCALE, "$1weight"), await numberIn(source, source.get(name)!));
  }
  const tensors = names.filter((name) => !SCALE.test(name) && !UNUSED.test(name)).map((name) => {
    const tensor = source.get(name)!, scale = scales.get(name);
    return scale === undefined ? tensor : { ...tensor, scale };
  });
  return tensorSource(source.path, tensors, source.metadata);
}

async function numberIn({ path }: TensorSource, tensor: StoredTensor): Promise<number> {
  if (elementCount(tensor.shape) === 1) return (await toFloat32(tensor))[0]!;
  throw new ModelFormatError(
    `Cannot read ${path}: ${tensor.name} holds a scale for each channel; got [${tensor.shape}], ` +
      "expected one number.",
    { path, key: tensor.name },
  );
}
