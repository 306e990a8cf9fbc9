/** What is read of an ELF file: https://refspecs.linuxfoundation.org/elf/gabi4+/ch5.dynamic.html */
const PT_LOAD = 1, PT_DYNAMIC = 2, DT_NULL = 0n, DT_NEEDED = 1n, DT_STRTAB = 5n, DT_STRSZ = 10n;

/** A stretch of the file and where it lies in memory. */
interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly fileSize: number;
}

/**
 * The libraries that a shared library names as needed (`DT_NEEDED`), in its order: the loader looks
 * for them before anything else of it works. Undefined for a file that is no 64-bit little-endian
 * ELF file, as on other systems than Linux, or that is cut short.
 *
 * @throws {Deno.errors.NotFound} and the like, if the file cannot be read.
 */
export function neededLibraries(path: string): string[] | undefined {
  using file = Deno.openSync(path);
  try {
    return readNeeded(file);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function readNeeded(file: Deno.FsFile): string[] | undefined {
  const header = readAt(file, 0, 64);
  const isElf64 = header.getUint32(0) === 0x7f454c46 && header.getUint8(4) === 2 &&
    header.getUint8(5) === 1;
  if (!isElf64) return undefined;
  const segments = segmentsOf(file, header);
  const dynamic = segments.find(({ type }) => type === PT_DYNAMIC);
  if (dynamic === undefined) return [];
  const entries = entriesOf(readAt(file, dynamic.offset, dynamic.fileSize));
  const valueOf = (tag: bigint) => Number(entries.find(([each]) => each === tag)?.[1] ?? 0n);
  const names = readAt(file, placeOf(segments, valueOf(DT_STRTAB)), valueOf(DT_STRSZ));
  return entries.filter(([tag]) => tag === DT_NEEDED).map(([, at]) => textAt(names, Number(at)));
}

function segmentsOf(file: Deno.FsFile, header: DataView): Segment[] {
  const start = big(header, 32), size = header.getUint16(54, true);
  const count = header.getUint16(56, true);
  const table = readAt(file, start, size * count);
  return Array.from({ length: count }, (_, i) => ({
    type: table.getUint32(i * size, true),
    offset: big(table, i * size + 8),
    address: big(table, i * size + 16),
    fileSize: big(table, i * size + 32),
  }));
}

function entriesOf(table: DataView): (readonly [tag: bigint, value: bigint])[] {
  const entries: (readonly [bigint, bigint])[] = [];
  for (let at = 0; at + 16 <= table.byteLength; at += 16) {
    const tag = table.getBigInt64(at, true);
    if (tag === DT_NULL) break;
    entries.push([tag, table.getBigUint64(at + 8, true)]);
  }
  return entries;
}

/** From an address in memory to the place in the file. */
function placeOf(segments: readonly Segment[], address: number): number {
  const segment = segments.find((each) =>
    each.type === PT_LOAD && address >= each.address && address < each.address + each.fileSize
  );
  if (segment === undefined) throw new RangeError("an address outside of the file");
  return segment.offset + address - segment.address;
}

function textAt(bytes: DataView, start: number): string {
  let end = start;
  while (bytes.getUint8(end) !== 0) end++;
  return new TextDecoder().decode(
    new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start),
  );
}

/** Throws RangeError where the file ends before. */
function readAt(file: Deno.FsFile, offset: number, length: number): DataView {
  // A damaged file may claim anything.
  if (!(offset + length <= file.statSync().size)) throw new RangeError("the file is cut short");
  const bytes = new Uint8Array(length);
  file.seekSync(offset, Deno.SeekMode.Start);
  for (let got = 0; got < length;) {
    const more = file.readSync(bytes.subarray(got));
    if (more === null) throw new RangeError("the file is being cut short");
    got += more;
  }
  return new DataView(bytes.buffer);
}

function big(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}
