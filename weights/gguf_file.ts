import { BLOCK_FORMATS, BlockBytes, type BlockFormat } from "./gguf_blocks.ts";
import { ModelFormatError } from "./model_format_error.ts";
import { openFile } from "./open_file.ts";
import { elementCount, tensorByteLength, tensorSource } from "./stored_tensor.ts";
import type { FileRange, StoredDType, StoredTensor, TensorSource } from "./stored_tensor.ts";

/** ggml's plain types by their number. */
const PLAIN: Readonly<Record<number, StoredDType>> = {
  0: "F32",
  1: "F16",
  24: "I8",
  25: "I16",
  26: "I32",
  27: "I64",
  28: "F64",
  30: "BF16",
};

/**
 * Opens a GGUF file (stable-diffusion.cpp, city96) by its header. Plain tensors are ranges of the
 * file; quantized ones are read and widened to float16 each time their data is asked for.
 * Throws ModelFormatError for a damaged header, a tensor beyond the file, an unknown format.
 */
export async function openGguf(path: string): Promise<TensorSource> {
  using file = await openFile(path);
  const { tensorInfos, tensorDataOffset, littleEndian, ...header } = await parse(path);
  const notes = new Map<string, unknown>(Object.entries(header.metadata));
  if (!littleEndian) {
    throw new ModelFormatError(`Cannot read ${path}: it is big-endian, expected little.`, { path });
  }
  const start = Number(tensorDataOffset);
  const tensors = tensorInfos.map((info) => {
    const shape = originalShape(info, notes.get(`comfy.gguf.orig_shape.${info.name}`));
    const place = { path: file.path, size: file.size, offset: start + Number(info.offset) };
    return storedTensor({ name: info.name, type: info.dtype, shape }, place);
  });
  const text = [...notes].filter(([, value]) => typeof value !== "object");
  return tensorSource(path, tensors, Object.fromEntries(text.map(([k, v]) => [k, String(v)])));
}

async function parse(path: string) {
  const { gguf } = await import("npm:@huggingface/gguf@0.4.6");
  try {
    return await gguf(path, { allowLocalFile: true });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ModelFormatError(`Cannot read ${path} as GGUF: ${why}.`, { path, cause });
  }
}

/**
 * ggml counts sizes from the innermost; city96's files keep beside them those of convolutions,
 * which had to be reshaped for quantization.
 */
function originalShape({ shape }: { shape: readonly bigint[] }, note: unknown): number[] {
  const stored = shape.map(Number).reverse();
  const original = Array.isArray(note) ? note.map(Number) : stored;
  return elementCount(original) === elementCount(stored) ? original : stored;
}

function storedTensor(
  { name, type, shape }: { name: string; type: number; shape: number[] },
  { path, size, offset }: { path: string; size: number; offset: number },
): StoredTensor {
  const fail = (why: string) =>
    new ModelFormatError(`Cannot read tensor ${name} of ${path}: ${why}.`, { path, key: name });
  const count = elementCount(shape), plain = PLAIN[type], format = BLOCK_FORMATS.get(type);
  if (plain === undefined && format === undefined) {
    throw fail(`ggml's type ${type} is not known; use a file with Q8_0, Q4_K or the like`);
  }
  if (format !== undefined && count % format.elements !== 0) {
    throw fail(`[${shape}] cannot be cut into ${format.name} blocks of ${format.elements}`);
  }
  const byteLength = format === undefined
    ? tensorByteLength(plain!, shape)
    : count / format.elements * format.bytes;
  if (!(offset + byteLength <= size)) {
    throw fail(`the file is too short; got ${size} bytes, expected ${offset + byteLength}`);
  }
  const range = { file: path, offset, byteLength };
  return format === undefined
    ? { name, dtype: plain!, shape, location: range }
    : { name, dtype: "F16", shape, location: new QuantizedData(range, format, count) };
}

/** Quantized weights that widen when they are asked for, and are forgotten when nobody has them. */
class QuantizedData {
  #last: WeakRef<Uint8Array> | undefined;

  constructor(
    readonly range: FileRange,
    readonly format: BlockFormat,
    readonly count: number,
  ) {}

  /** float16, row-major. Throws ModelFormatError when the file has become shorter. */
  get data(): Uint8Array {
    let data = this.#last?.deref();
    if (data === undefined) {
      const out = new Float16Array(this.count);
      this.#widenInto(out);
      this.#last = new WeakRef(data = new Uint8Array(out.buffer));
    }
    return data;
  }

  #widenInto(out: Float16Array): void {
    const { elements, bytes, dequantize } = this.format;
    const blocks = new BlockBytes(readSync(this.range));
    const block = new Float32Array(elements);
    for (let i = 0; i * elements < this.count; i++) {
      dequantize(blocks, i * bytes, block, 0);
      out.set(block, i * elements);
    }
  }
}

/** Synchronously, because `data` is a property of memory for everyone else. */
function readSync({ file, offset, byteLength }: FileRange): Uint8Array {
  using open = Deno.openSync(file, { read: true });
  open.seekSync(offset, Deno.SeekMode.Start);
  const bytes = new Uint8Array(byteLength);
  for (let done = 0; done < byteLength;) {
    const got = open.readSync(bytes.subarray(done));
    if (got === null) {
      throw new ModelFormatError(`Cannot read ${file}: the file has become shorter.`, {
        path: file,
      });
    }
    done += got;
  }
  return bytes;
}
