import { ModelFormatError } from "./model_format_error.ts";
import { openFile } from "./open_file.ts";
import type { OpenFile } from "./open_file.ts";
import { unpickle } from "./pickle.ts";
import { PickleError } from "./pickle_reader.ts";
import { sniff } from "./sniff.ts";
import { BYTES_PER_ELEMENT, elementCount, tensorSource } from "./stored_tensor.ts";
import type { StoredTensor, TensorLocation, TensorSource } from "./stored_tensor.ts";
import { gather, isContiguous } from "./strided.ts";
import { torchWorld } from "./torch_objects.ts";
import type { TorchTensor } from "./torch_objects.ts";
import { flattenState } from "./torch_state.ts";
import { readZipDirectory } from "./zip_directory.ts";
import type { ZipEntry } from "./zip_directory.ts";

/** SD checkpoints have 1 MB; a pickle that makes objects of nothing takes 30 times its size. */
const MAX_PICKLE_BYTES = 16 << 20;

/**
 * Opens what `torch.save` of torch 1.6 or newer wrote (`.ckpt`, `.pt`, `.bin`) without running any
 * of its code: the pickle may only make tensors, dicts and numbers. Tensors are ranges of the file;
 * only those that are not contiguous are read, into row-major memory.
 * A `state_dict` inside is unwrapped; deeper names are joined by dots; numbers and text beside the
 * tensors become metadata. Throws ModelFormatError that names whatever is refused.
 */
export async function openTorchFile(path: string): Promise<TensorSource> {
  using file = await openFile(path);
  await checkFormat(file);
  const entries = await readZipDirectory(file);
  const { root, folder } = await readPickle(file, entries);
  const { tensors, metadata } = refusing(path, () => flattenState(root));
  const context = { file, entries, folder, gathered: 0 };
  const stored: StoredTensor[] = [];
  for (const [name, tensor] of tensors) {
    const location = await locate(context, name, tensor);
    stored.push({ name, dtype: tensor.dtype, shape: tensor.shape, location });
  }
  return tensorSource(path, stored, metadata);
}

async function checkFormat(file: OpenFile): Promise<void> {
  const start = await file.read(0, Math.min(64, file.size));
  if (start[0] === 0x50 && start[1] === 0x4b) return;
  throw new ModelFormatError(
    `Cannot open ${file.path} as a torch file: it is not a zip archive; it looks like ` +
      `${sniff(start) ?? "nothing known"}. ` +
      "If an old torch wrote it, load and save it once with torch, as safetensors.",
    { path: file.path },
  );
}

async function readPickle(file: OpenFile, entries: ReadonlyMap<string, ZipEntry>) {
  const fail = (why: string, key: string) =>
    new ModelFormatError(`Cannot open ${file.path} as a torch file: ${why}.`, {
      path: file.path,
      key,
    });
  const pickles = [...entries.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  const [name] = pickles;
  if (name === undefined || pickles.length > 1) {
    throw fail(`it has ${pickles.length} entries named */data.pkl, expected one`, "data.pkl");
  }
  const folder = name.slice(0, -"data.pkl".length);
  const order = entries.get(`${folder}byteorder`);
  if (order !== undefined && order.byteLength < 16) {
    const text = new TextDecoder().decode(await file.read(order.offset, order.byteLength));
    if (text !== "little") {
      throw fail(`its numbers are ${text}-endian, expected little`, "byteorder");
    }
  }
  const { offset, byteLength } = entries.get(name)!;
  if (byteLength > MAX_PICKLE_BYTES) {
    throw fail(
      `its pickle is too long; got ${byteLength} bytes, expected at most ${MAX_PICKLE_BYTES}`,
      name,
    );
  }
  const bytes = await file.read(offset, byteLength);
  return { root: refusing(file.path, () => unpickle(bytes, torchWorld)), folder };
}

/** Turns the refusal of a pickle into an error that names the file. */
function refusing<T>(path: string, step: () => T): T {
  try {
    return step();
  } catch (cause) {
    if (!(cause instanceof PickleError)) throw cause;
    throw new ModelFormatError(
      `Cannot open ${path} safely: ${cause.message}. Use a .safetensors file of these weights.`,
      { path, cause },
    );
  }
}

interface Context {
  readonly file: OpenFile;
  readonly entries: ReadonlyMap<string, ZipEntry>;
  readonly folder: string;
  /** Bytes of the tensors gathered so far: no file may make more than its own size. */
  gathered: number;
}

async function locate(
  context: Context,
  name: string,
  tensor: TorchTensor,
): Promise<TensorLocation> {
  const { file, entries, folder } = context;
  const key = `${folder}data/${tensor.storage.key}`;
  const fail = (why: string) =>
    new ModelFormatError(`Cannot read tensor ${name} of ${file.path}: ${why}.`, {
      path: file.path,
      key: name,
    });
  const entry = entries.get(key);
  if (entry === undefined) throw fail(`the archive has no entry ${JSON.stringify(key)}`);
  const size = BYTES_PER_ELEMENT[tensor.dtype];
  const count = elementCount(tensor.shape);
  if (count === 0) return { data: new Uint8Array() };
  // The last element that the view reaches.
  const reach = tensor.shape.reduce(
    (sum, n, i) => sum + (n - 1) * tensor.strides[i]!,
    tensor.offset,
  );
  if (!((reach + 1) * size <= entry.byteLength) || Number.isNaN(count)) {
    throw fail(
      `${tensor.dtype}[${tensor.shape}] does not fit its storage; got ${entry.byteLength} bytes`,
    );
  }
  const offset = entry.offset + tensor.offset * size;
  if (isContiguous(tensor)) return { file: file.path, offset, byteLength: count * size };
  context.gathered += count * size;
  if (context.gathered > file.size) {
    throw fail("its strides repeat elements, and with them it would be larger than the file");
  }
  const span = await file.read(offset, (reach - tensor.offset + 1) * size);
  return { data: gather(span, size, tensor) };
}
