/** A small reader of GIF89a, enough to see what was written; the specification's block by block. */

/** One picture of a GIF. */
export interface GifFrame {
  readonly palette: number[][];
  readonly lzw: number[];
  readonly codeSize: number;
  /** Hundredths of a second. */
  readonly delay: number;
  readonly dispose: number;
  readonly clear: number | undefined;
}

/** Splits a GIF of whole frames into its parts; `loop` is absent without a loop block. */
export function readGif(gif: Uint8Array): { frames: GifFrame[]; loop: number | undefined } {
  const view = new DataView(gif.buffer, gif.byteOffset, gif.byteLength);
  let at = 13;
  const table = (flags: number) => {
    if (!(flags & 128)) return undefined;
    const count = 2 << (flags & 7);
    const colors = Array.from(
      { length: count },
      (_, i) => [...gif.subarray(at + 3 * i).slice(0, 3)],
    );
    at += 3 * count;
    return colors;
  };
  const blocks = () => {
    const out: number[] = [];
    for (let size = gif[at++]!; size > 0; size = gif[at++]!) {
      out.push(...gif.subarray(at, at + size));
      at += size;
    }
    return out;
  };
  const common = table(gif[10]!);
  const frames: GifFrame[] = [];
  let loop: number | undefined, control: number[] = [];
  for (;;) {
    const block = gif[at++];
    if (block === 0x3b) return { frames, loop };
    if (block === 0x21) {
      const label = gif[at++];
      const data = blocks();
      if (label === 0xf9) control = data;
      else if (label === 0xff) loop = data[12]! | data[13]! << 8;
    } else if (block === 0x2c) {
      at += 8;
      const palette = table(gif[at++]!) ?? common!;
      const codeSize = gif[at++]!;
      const lzw = blocks();
      const [flags, low, high, clear] = control as [number, number, number, number];
      const delay = low | high << 8, dispose = flags >> 2 & 7;
      frames.push({ palette, lzw, codeSize, delay, dispose, clear: flags & 1 ? clear : undefined });
    } else {
      throw new Error(`no GIF block ${block} at ${at} of ${view.byteLength}`);
    }
  }
}

/** Undoes GIF's LZW (specification, appendix F). */
export function lzwDecode(data: readonly number[], codeSize: number): number[] {
  const reset = 1 << codeSize, out: number[] = [];
  let table: number[][] = [], bits = codeSize + 1, previous: number[] | undefined;
  const start = () => {
    table = Array.from({ length: reset + 2 }, (_, i) => i < reset ? [i] : []);
    bits = codeSize + 1;
    previous = undefined;
  };
  start();
  let buffer = 0, count = 0;
  for (const byte of data) {
    buffer |= byte << count;
    count += 8;
    while (count >= bits) {
      const code = buffer & (1 << bits) - 1;
      buffer >>>= bits;
      count -= bits;
      if (code === reset) {
        start();
        continue;
      }
      if (code === reset + 1) return out;
      const entry: number[] = table[code] ?? [...previous!, previous![0]!];
      out.push(...entry);
      if (previous && table.length < 4096) table.push([...previous, entry[0]!]);
      if (table.length === 1 << bits && bits < 12) bits++;
      previous = entry;
    }
  }
  return out;
}
