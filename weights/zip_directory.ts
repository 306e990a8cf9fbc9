import { ModelFormatError } from "./model_format_error.ts";
import type { OpenFile } from "./open_file.ts";

/** Where the plain bytes of one entry of a zip file are. */
export interface ZipEntry {
  /** First byte, from the start of the file. */
  readonly offset: number;
  /** How many bytes. */
  readonly byteLength: number;
}

const END_RECORD = 0x06054b50, END_BYTES = 22, MAX_COMMENT = 0xffff;
const END64_LOCATOR = 0x07064b50, LOCATOR_BYTES = 20, END64_RECORD = 0x06064b50, END64_BYTES = 56;
const CENTRAL_ENTRY = 0x02014b50, CENTRAL_BYTES = 46;
const LOCAL_ENTRY = 0x04034b50, LOCAL_BYTES = 30;
const ZIP64_FIELD = 1, ZIP64_MARK = 0xffffffff;
/** A checkpoint has some thousand entries. */
const MAX_DIRECTORY_BYTES = 16 << 20;

/**
 * The entries of a zip file whose contents are stored, not compressed, so that each one is a range
 * of the file (PKWARE APPNOTE 6.3.10, sections 4.3 and 4.5.3; zip64 too). Nothing is extracted.
 * Throws ModelFormatError for compressed or encrypted entries and for records that don't agree.
 */
export async function readZipDirectory(file: OpenFile): Promise<Map<string, ZipEntry>> {
  const { start, byteLength, count } = await findDirectory(file);
  if (byteLength > MAX_DIRECTORY_BYTES) {
    throw fail(file, `its directory is too long; got ${byteLength} bytes`);
  }
  const bytes = await file.read(start, byteLength);
  const entries = new Map<string, ZipEntry>();
  let at = 0;
  for (let i = 0; i < count; i++) {
    const { name, next, ...range } = centralEntry(file, bytes, at);
    if (entries.has(name)) throw fail(file, "two entries have this name", name);
    entries.set(name, await plainRange(file, name, range));
    at = next;
  }
  return entries;
}

async function findDirectory(file: OpenFile) {
  const tailLength = Math.min(file.size, LOCATOR_BYTES + END_BYTES + MAX_COMMENT);
  const tailStart = file.size - tailLength;
  const tail = viewOf(await file.read(tailStart, tailLength));
  let end = tailLength - END_BYTES;
  while (end >= 0 && !isEndRecord(tail, end)) end--;
  if (end < 0) throw fail(file, "its end is missing; copy or download it again");
  const locator = end - LOCATOR_BYTES;
  if (locator < 0 || tail.getUint32(locator, true) !== END64_LOCATOR) {
    return {
      count: tail.getUint16(end + 10, true),
      byteLength: tail.getUint32(end + 12, true),
      start: tail.getUint32(end + 16, true),
    };
  }
  const end64 = viewOf(await file.read(number64(file, tail, locator + 8), END64_BYTES));
  if (end64.getUint32(0, true) !== END64_RECORD) throw fail(file, "its zip64 end is missing");
  return {
    count: number64(file, end64, 32),
    byteLength: number64(file, end64, 40),
    start: number64(file, end64, 48),
  };
}

/** The comment must reach the end of the file exactly, or the signature is part of a comment. */
function isEndRecord(tail: DataView, at: number): boolean {
  return tail.getUint32(at, true) === END_RECORD &&
    at + END_BYTES + tail.getUint16(at + 20, true) === tail.byteLength;
}

function centralEntry(file: OpenFile, directory: Uint8Array<ArrayBuffer>, at: number) {
  const fixed = viewOf(directory.subarray(at));
  if (fixed.byteLength < CENTRAL_BYTES || fixed.getUint32(0, true) !== CENTRAL_ENTRY) {
    throw fail(file, "its directory is damaged; copy or download it again");
  }
  const nameLength = fixed.getUint16(28, true), extraLength = fixed.getUint16(30, true);
  const extraAt = at + CENTRAL_BYTES + nameLength;
  const next = extraAt + extraLength + fixed.getUint16(32, true);
  if (next > directory.length) throw fail(file, "its directory is damaged");
  const name = new TextDecoder().decode(directory.subarray(at + CENTRAL_BYTES, extraAt));
  if (fixed.getUint16(8, true) & 1) throw fail(file, "the entry is encrypted", name);
  if (fixed.getUint16(10, true) !== 0) {
    throw fail(
      file,
      "the entry is compressed, which torch never does; load and save it with torch",
      name,
    );
  }
  const wide = zip64Numbers(file, viewOf(directory.subarray(extraAt, extraAt + extraLength)));
  const number = (value: number) => value === ZIP64_MARK ? wide.next().value ?? NaN : value;
  const size = number(fixed.getUint32(24, true)), stored = number(fixed.getUint32(20, true));
  const header = number(fixed.getUint32(42, true));
  if (size !== stored) throw fail(file, "the two sizes of the entry differ", name);
  return { name, header, byteLength: size, next };
}

/** The 64-bit numbers that stand in for the 32-bit ones marked as too small, in their order. */
function* zip64Numbers(file: OpenFile, extra: DataView): Generator<number, undefined> {
  for (let at = 0; at + 4 <= extra.byteLength;) {
    const end = at + 4 + extra.getUint16(at + 2, true);
    if (extra.getUint16(at, true) === ZIP64_FIELD) {
      for (let n = at + 4; n + 8 <= Math.min(end, extra.byteLength); n += 8) {
        yield number64(file, extra, n);
      }
    }
    at = end;
  }
}

/** The entry's bytes begin after its local header, whose extra field has its own length. */
async function plainRange(
  file: OpenFile,
  name: string,
  { header, byteLength }: { header: number; byteLength: number },
): Promise<ZipEntry> {
  const beyond = () =>
    fail(file, "the entry is not inside the file; copy or download it again", name);
  if (!(header + LOCAL_BYTES <= file.size)) throw beyond();
  const local = viewOf(await file.read(header, LOCAL_BYTES));
  if (local.getUint32(0, true) !== LOCAL_ENTRY) throw beyond();
  const offset = header + LOCAL_BYTES + local.getUint16(26, true) + local.getUint16(28, true);
  if (offset + byteLength > file.size) throw beyond();
  return { offset, byteLength };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function number64(file: OpenFile, view: DataView, at: number): number {
  const value = view.getBigUint64(at, true);
  if (value > BigInt(file.size)) throw fail(file, `it names byte ${value}, beyond its end`);
  return Number(value);
}

function fail({ path }: OpenFile, why: string, key?: string): ModelFormatError {
  const entry = key === undefined ? "" : ` (entry ${JSON.stringify(key)})`;
  return new ModelFormatError(`Cannot read the zip file ${path}: ${why}${entry}.`, { path, key });
}
