/** Options that make the records wrong, or of another kind, on purpose. */
export interface ZipQuirks {
  /** 64-bit sizes and offsets in extra fields, as for files above 4 GB. */
  zip64?: boolean;
  /** A comment behind the end record. */
  comment?: string;
  /** What the directory says of each entry instead of the truth. */
  claim?: { method?: number; flags?: number; size?: number; stored?: number; offset?: number };
}

/** A zip file of stored entries, byte by byte as the format says, so that tests can break it. */
export function zipOf(
  entries: Readonly<Record<string, Uint8Array>> | readonly (readonly [string, Uint8Array])[],
  { zip64 = false, comment = "", claim = {} }: ZipQuirks = {},
): Uint8Array {
  const list = Array.isArray(entries) ? entries : Object.entries(entries);
  const out: number[] = [];
  const directory: number[] = [];
  for (const [name, data] of list as [string, Uint8Array][]) {
    const offset = claim.offset ?? out.length;
    const size = claim.size ?? data.length, stored = claim.stored ?? data.length;
    const bytes = new TextEncoder().encode(name);
    out.push(...u32(0x04034b50), ...new Array(22).fill(0), ...u16(bytes.length), ...u16(0));
    out.push(...bytes, ...data);
    const wide = zip64 ? [...u16(1), ...u16(24), ...u64(size), ...u64(stored), ...u64(offset)] : [];
    const narrow = (value: number) => u32(zip64 ? 0xffffffff : value);
    directory.push(...u32(0x02014b50), ...u16(0), ...u16(0), ...u16(claim.flags ?? 0));
    directory.push(...u16(claim.method ?? 0), ...u32(0), ...u32(0));
    directory.push(...narrow(stored), ...narrow(size), ...u16(bytes.length), ...u16(wide.length));
    directory.push(...new Array(10).fill(0), ...narrow(offset), ...bytes, ...wide);
  }
  const start = out.length, count = list.length;
  out.push(...directory);
  if (zip64) {
    const end64 = out.length;
    out.push(
      ...u32(0x06064b50),
      ...u64(44),
      ...new Array(12).fill(0),
      ...u64(count),
      ...u64(count),
    );
    out.push(...u64(directory.length), ...u64(start));
    out.push(...u32(0x07064b50), ...u32(0), ...u64(end64), ...u32(1));
  }
  const text = new TextEncoder().encode(comment);
  out.push(
    ...u32(0x06054b50),
    ...u32(0),
    ...u16(zip64 ? 0xffff : count),
    ...u16(zip64 ? 0xffff : count),
  );
  out.push(...u32(zip64 ? 0xffffffff : directory.length), ...u32(zip64 ? 0xffffffff : start));
  out.push(...u16(text.length), ...text);
  return new Uint8Array(out);
}

const littleEndian = (value: number, bytes: number) =>
  Array.from({ length: bytes }, (_, i) => Math.floor(value / 2 ** (8 * i)) % 256);
const u16 = (value: number) => littleEndian(value, 2);
const u32 = (value: number) => littleEndian(value, 4);
const u64 = (value: number) => littleEndian(value, 8);
