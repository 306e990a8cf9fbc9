/**
 * OpenCLIP's text encoder in single-file checkpoints (SD 2, the second of SDXL), turned into the
 * tensors of a transformers CLIPTextModelWithProjection.
 */
import { read } from "../weights/read.ts";
import { BYTES_PER_ELEMENT, type StoredTensor } from "../weights/stored_tensor.ts";

const WHOLE: Readonly<Record<string, string>> = {
  "positional_embedding": "text_model.embeddings.position_embedding.weight",
  "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
  "ln_final.weight": "text_model.final_layer_norm.weight",
  "ln_final.bias": "text_model.final_layer_norm.bias",
};

/** Parts of a layer that only change their name. */
const LAYER: Readonly<Record<string, string>> = {
  "ln_1": "layer_norm1",
  "ln_2": "layer_norm2",
  "attn.out_proj": "self_attn.out_proj",
  "mlp.c_fc": "mlp.fc1",
  "mlp.c_proj": "mlp.fc2",
};

/**
 * The tensors of `text` (names with the prefix removed: `cond_stage_model.model.`) under their
 * transformers names: queries, keys and values are cut from the joint projection without a copy;
 * the text projection is transposed in memory. Throws ModelFormatError when it cannot be read.
 */
export async function openClipTensors(text: Iterable<StoredTensor>): Promise<StoredTensor[]> {
  const tensors: StoredTensor[] = [];
  for (const tensor of text) tensors.push(...await renamed(tensor));
  return tensors;
}

async function renamed(tensor: StoredTensor): Promise<StoredTensor[]> {
  const whole = WHOLE[tensor.name];
  if (whole !== undefined) return [{ ...tensor, name: whole }];
  if (tensor.name === "text_projection") return [await transposed(tensor)];
  const found = /^transformer\.resblocks\.(\d+)\.(.+)[._](weight|bias)$/.exec(tensor.name);
  if (found === null) return [];
  const [, i, part, kind] = found as unknown as [string, string, string, string];
  const layer = `text_model.encoder.layers.${i}`;
  if (part === "attn.in_proj") {
    return ["q_proj", "k_proj", "v_proj"].map((name, third) =>
      thirdOf(tensor, third, `${layer}.self_attn.${name}.${kind}`)
    );
  }
  const name = LAYER[part];
  return name === undefined ? [] : [{ ...tensor, name: `${layer}.${name}.${kind}` }];
}

/** One of three equal parts along the first axis. */
function thirdOf(tensor: StoredTensor, third: number, name: string): StoredTensor {
  const [rows = 0, ...rest] = tensor.shape;
  const { location } = tensor;
  const whole = "data" in location ? location.data.byteLength : location.byteLength;
  const byteLength = whole / 3;
  const start = third * byteLength;
  return {
    ...tensor,
    name,
    shape: [rows / 3, ...rest],
    location: "data" in location
      ? { data: location.data.subarray(start, start + byteLength) }
      : { file: location.file, offset: location.offset + start, byteLength },
  };
}

/** The projection [in, out], which OpenCLIP multiplies from the right, as a layer's [out, in]. */
async function transposed(tensor: StoredTensor): Promise<StoredTensor> {
  const [rows = 0, columns = 0] = tensor.shape;
  const size = BYTES_PER_ELEMENT[tensor.dtype];
  const from = await read(tensor);
  const data = new Uint8Array(from.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const at = (row * columns + column) * size;
      data.set(from.subarray(at, at + size), (column * rows + row) * size);
    }
  }
  return {
    ...tensor,
    name: "text_projection.weight",
    shape: [columns, rows],
    location: { data },
  };
}
