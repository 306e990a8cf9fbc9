/**
 * A shared library in which there is nothing but the names of others that it needs: enough for a
 * reader of ELF, and for the system's loader to look for them.
 */
export function libraryThatNeeds(names: readonly string[]): Uint8Array {
  const text = new TextEncoder().encode(`\0${names.join("\0")}\0`);
  const headerSize = 64, segmentSize = 56, segments = 2;
  const dynamicAt = headerSize + segments * segmentSize;
  const dynamicSize = (names.length + 3) * 16;
  const textAt = dynamicAt + dynamicSize, size = textAt + text.length;
  // Addresses in memory differ from places in the file, as they do in real libraries.
  const base = 0x1000;
  const bytes = new Uint8Array(size), view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 3, true); // ET_DYN
  view.setUint16(18, 62, true); // x86-64
  view.setUint32(20, 1, true);
  view.setBigUint64(32, BigInt(headerSize), true);
  view.setUint16(52, headerSize, true);
  view.setUint16(54, segmentSize, true);
  view.setUint16(56, segments, true);
  const segment = (i: number, type: number, offset: number, length: number) => {
    const at = headerSize + i * segmentSize;
    view.setUint32(at, type, true);
    view.setUint32(at + 4, 6, true);
    view.setBigUint64(at + 8, BigInt(offset), true);
    view.setBigUint64(at + 16, BigInt(base + offset), true);
    view.setBigUint64(at + 32, BigInt(length), true);
    view.setBigUint64(at + 40, BigInt(length), true);
    view.setBigUint64(at + 48, 0x1000n, true);
  };
  segment(0, 1, 0, size);
  segment(1, 2, dynamicAt, dynamicSize);
  let place = 1;
  const entries: [number, number][] = names.map((name) => {
    const at = place;
    place += name.length + 1;
    return [1, at];
  });
  entries.push([5, base + textAt], [10, text.length], [0, 0]);
  entries.forEach(([tag, value], i) => {
    view.setBigInt64(dynamicAt + i * 16, BigInt(tag), true);
    view.setBigUint64(dynamicAt + i * 16 + 8, BigInt(value), true);
  });
  bytes.set(text, textAt);
  return bytes;
}
