import { duplicateKey } from "./json_duplicate_key.ts";
import { ModelFormatError } from "./model_format_error.ts";
import { sniff } from "./sniff.ts";
import { isStoredDType, tensorByteLength } from "./stored_tensor.ts";
import type { FileRange, StoredTensor } from "./stored_tensor.ts";

/** The longest header that the format allows. */
const MAX_HEADER_BYTES = 100_000_000;

/** A tensor that is a range of a file. */
export type TensorInFile = StoredTensor & { readonly location: FileRange };

/**
 * The length of the JSON header, from the file's first bytes (8 of them, little-endian).
 * Throws ModelFormatError, saying what the file looks like when it is something else.
 */
export function safetensorsHeaderLength(start: Uint8Array, size: number, path: string): number {
  const fail = (why: string) => {
    const looks = sniff(start);
    const guess = looks === undefined ? "" : `; it looks like ${looks}`;
    return new ModelFormatError(`Cannot open ${path} as safetensors: ${why}${guess}.`, { path });
  };
  if (start.length < 8) {
    throw fail(`it is too short; got ${start.length} bytes, expected 8 or more`);
  }
  const length = new DataView(start.buffer, start.byteOffset).getBigUint64(0, true);
  if (length > MAX_HEADER_BYTES) {
    throw fail(`its header would take ${length} bytes; expected at most ${MAX_HEADER_BYTES}`);
  }
  if (length > size - 8) {
    throw fail(
      `its header ends beyond the file; got ${size} bytes, expected ${length + 8n} or more`,
    );
  }
  return Number(length);
}

/**
 * The tensors of a header, in the order of their bytes, with absolute offsets in the file.
 * The format's rules are all checked: known dtypes, byte counts that fit the shapes, no overlap, no
 * gap, nothing missing or left over. Throws ModelFormatError.
 */
export function parseSafetensorsHeader(
  header: Uint8Array,
  { file, size }: { file: string; size: number },
): { tensors: TensorInFile[]; metadata: Record<string, string> } {
  const metadata: Record<string, string> = {};
  const tensors: TensorInFile[] = [];
  for (const [name, entry] of parseObject(header, file)) {
    if (name === "__metadata__") Object.assign(metadata, checkMetadata(entry, file));
    else tensors.push(parseTensor(name, entry, { file, start: 8 + header.length }));
  }
  // Empty tensors first among equals: their place between two others is not a gap.
  tensors.sort(({ location: a }, { location: b }) =>
    a.offset - b.offset || a.byteLength - b.byteLength
  );
  checkLayout(tensors, { file, start: 8 + header.length, end: size });
  return { tensors, metadata };
}

function parseObject(header: Uint8Array, path: string): [string, unknown][] {
  const fail = (why: string, key?: string, cause?: unknown) =>
    new ModelFormatError(`Cannot read the header of ${path}: ${why}.`, { path, key, cause });
  let text: string, value: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(header);
    value = JSON.parse(text);
  } catch (cause) {
    throw fail(
      `it is not JSON (${cause instanceof Error ? cause.message : cause})`,
      undefined,
      cause,
    );
  }
  if (!isObject(value)) throw fail("its JSON is not an object");
  const twice = duplicateKey(text);
  if (twice !== undefined) throw fail(`the name ${twice} occurs twice`, twice);
  return Object.entries(value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function checkMetadata(entry: unknown, path: string): Record<string, string> {
  if (isObject(entry) && Object.values(entry).every((v) => typeof v === "string")) {
    return entry as Record<string, string>;
  }
  throw new ModelFormatError(
    `Cannot read the header of ${path}: __metadata__ is not an object of strings.`,
    { path, key: "__metadata__" },
  );
}

function parseTensor(
  name: string,
  entry: unknown,
  { file, start }: { file: string; start: number },
): TensorInFile {
  const fail = (why: string) =>
    new ModelFormatError(`Cannot read tensor ${name} of ${file}: ${why}.`, {
      path: file,
      key: name,
    });
  if (!isObject(entry)) throw fail("its header entry is not an object");
  const { dtype, shape, data_offsets: offsets } = entry;
  if (!isStoredDType(dtype)) throw fail(`its dtype ${JSON.stringify(dtype)} is unknown`);
  if (!isCounts(shape)) throw fail(`its shape ${JSON.stringify(shape)} is not a list of sizes`);
  if (!isCounts(offsets) || offsets.length !== 2) {
    throw fail(`its data_offsets ${JSON.stringify(offsets)} are not two byte positions`);
  }
  const [begin, end] = offsets as [number, number];
  const expected = tensorByteLength(dtype, shape);
  if (end - begin !== expected) {
    throw fail(
      `its byte count does not fit ${dtype}[${shape}]; got ${end - begin}, expected ${expected}`,
    );
  }
  return { name, dtype, shape, location: { file, offset: start + begin, byteLength: expected } };
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
}

function checkLayout(
  tensors: readonly TensorInFile[],
  { file, start, end }: { file: string; start: number; end: number },
): void {
  let at = start, before = "the header";
  for (const { name, location: { offset, byteLength } } of tensors) {
    if (offset !== at) {
      const what = offset < at
        ? `overlaps ${before} by ${at - offset} bytes`
        : "leaves a gap after " +
          `${before} of ${offset - at} bytes`;
      throw new ModelFormatError(`Cannot read ${file}: tensor ${name} ${what}.`, {
        path: file,
        key: name,
      });
    }
    at = offset + byteLength;
    before = name;
  }
  if (at === end) return;
  const what = at > end ? "the file is too short" : "bytes are left over after the last tensor";
  throw new ModelFormatError(
    `Cannot read ${file}: ${what}; got ${end} bytes, expected ${at}. Copy or download it again.`,
    { path: file, key: at > end ? before : undefined },
  );
}
