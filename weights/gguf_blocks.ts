/** A block format of ggml: `elements` weights in `bytes` bytes. */
export interface BlockFormat {
  /** ggml's name, as in file names. */
  readonly name: string;
  /** Weights in a block. */
  readonly elements: number;
  /** Bytes of a block. */
  readonly bytes: number;
  /** Writes the block that begins at byte `at` of `b` to `out` from index `to` on. */
  readonly dequantize: (b: BlockBytes, at: number, out: Float32Array, to: number) => void;
}

/** The bytes of a tensor, with what blocks hold besides bytes. */
export class BlockBytes {
  readonly #view: DataView;

  /** Over a tensor's bytes. */
  constructor(readonly u8: Uint8Array) {
    this.#view = new DataView(u8.buffer, u8.byteOffset, u8.byteLength);
  }

  /** The float16 at a byte. */
  f16(at: number): number {
    return this.#view.getFloat16(at, true);
  }

  /** The int8 at a byte. */
  i8(at: number): number {
    return this.#view.getInt8(at);
  }

  /** The uint32 at a byte. */
  u32(at: number): number {
    return this.#view.getUint32(at, true);
  }
}

type Dequantize = BlockFormat["dequantize"];

/** 32 weights of 4 or 5 bits: those of the low halves of 16 bytes, then those of the high halves. */
function small({ bits, offset }: { bits: 4 | 5; offset: boolean }): Dequantize {
  const head = offset ? 4 : 2, zero = offset ? 0 : 2 ** (bits - 1);
  return (b, at, out, to) => {
    const scale = b.f16(at), least = offset ? b.f16(at + 2) : 0;
    const high = bits === 5 ? b.u32(at + head) : 0;
    const quants = at + head + (bits === 5 ? 4 : 0);
    for (let i = 0; i < 16; i++) {
      const pair = b.u8[quants + i]!;
      const low = (pair & 15) | (((high >>> i) & 1) << 4);
      const top = (pair >> 4) | (((high >>> (i + 16)) & 1) << 4);
      out[to + i] = scale * (low - zero) + least;
      out[to + i + 16] = scale * (top - zero) + least;
    }
  };
}

const q8: Dequantize = (b, at, out, to) => {
  const scale = b.f16(at);
  for (let i = 0; i < 32; i++) out[to + i] = scale * b.i8(at + 2 + i);
};

/** Bytes 0-15 scales and minima of 16 groups, 64 bytes of 2-bit weights, scale, scale of minima. */
const q2k: Dequantize = (b, at, out, to) => {
  const scale = b.f16(at + 80), minimum = b.f16(at + 82);
  for (let i = 0; i < 256; i++) {
    const group = b.u8[at + (i >> 4)]!;
    const quant = (b.u8[at + 16 + lane(i)]! >> shift(i)) & 3;
    out[to + i] = scale * (group & 15) * quant - minimum * (group >> 4);
  }
};

/** 32 bytes of third bits (inverted), 64 of the low two, 12 of packed 6-bit scales, the scale. */
const q3k: Dequantize = (b, at, out, to) => {
  const scale = b.f16(at + 108), packed = at + 96;
  for (let i = 0; i < 256; i++) {
    const g = i >> 4;
    const low = g < 8 ? b.u8[packed + g]! & 15 : b.u8[packed + g - 8]! >> 4;
    const high = (b.u8[packed + 8 + (g & 3)]! >> (2 * (g >> 2))) & 3;
    const third = (b.u8[at + (i & 31)]! >> (i >> 5)) & 1;
    const quant = (b.u8[at + 32 + lane(i)]! >> shift(i)) & 3;
    out[to + i] = scale * ((low | (high << 4)) - 32) * (quant - (third === 1 ? 0 : 4));
  }
};

/** Of 2-bit weights, the byte: 128 weights share 32 bytes. */
const lane = (i: number) => (i >> 7) * 32 + (i & 31);
/** And the bits within it. */
const shift = (i: number) => 2 * ((i >> 5) & 3);

/** Scale and minimum of group `g` of 8, 6 bits each, packed into 12 bytes. */
function scaleAndMinimum({ u8 }: BlockBytes, at: number, g: number): [scale: number, min: number] {
  if (g < 4) return [u8[at + g]! & 63, u8[at + g + 4]! & 63];
  const low = u8[at + g + 4]!;
  return [(low & 15) | ((u8[at + g - 4]! >> 6) << 4), (low >> 4) | ((u8[at + g]! >> 6) << 4)];
}

/** Scale, scale of minima, 12 bytes of both for 8 groups, fifth bits for Q5_K, then 4-bit weights. */
function groups(bits: 4 | 5): Dequantize {
  return (b, at, out, to) => {
    const scale = b.f16(at), minimum = b.f16(at + 2), high = at + 16;
    const quants = bits === 5 ? high + 32 : high;
    for (let g = 0; g < 8; g++) {
      const [s, m] = scaleAndMinimum(b, at + 4, g);
      for (let i = 0; i < 32; i++) {
        const pair = b.u8[quants + (g >> 1) * 32 + i]!;
        const low = g % 2 === 0 ? pair & 15 : pair >> 4;
        const fifth = bits === 5 ? ((b.u8[high + i]! >> g) & 1) << 4 : 0;
        out[to + g * 32 + i] = scale * s * (low | fifth) - minimum * m;
      }
    }
  };
}

/** 128 bytes of low halves, 64 of the two bits above, 16 int8 scales, the scale of those. */
const q6k: Dequantize = (b, at, out, to) => {
  const scale = b.f16(at + 208);
  for (let i = 0; i < 256; i++) {
    const half = i >> 7, quarter = (i >> 5) & 3, j = i & 31;
    const pair = b.u8[at + half * 64 + (quarter & 1) * 32 + j]!;
    const low = quarter < 2 ? pair & 15 : pair >> 4;
    const high = (b.u8[at + 128 + half * 32 + j]! >> (2 * quarter)) & 3;
    out[to + i] = scale * b.i8(at + 192 + (i >> 4)) * ((low | (high << 4)) - 32);
  }
};

const format = (name: string, elements: number, bytes: number, dequantize: Dequantize) => ({
  name,
  elements,
  bytes,
  dequantize,
});

/** ggml's block formats by their number (ggml.h, ggml_type; layouts in ggml-common.h). */
export const BLOCK_FORMATS: ReadonlyMap<number, BlockFormat> = new Map([
  [2, format("Q4_0", 32, 18, small({ bits: 4, offset: false }))],
  [3, format("Q4_1", 32, 20, small({ bits: 4, offset: true }))],
  [6, format("Q5_0", 32, 22, small({ bits: 5, offset: false }))],
  [7, format("Q5_1", 32, 24, small({ bits: 5, offset: true }))],
  [8, format("Q8_0", 32, 34, q8)],
  [10, format("Q2_K", 256, 84, q2k)],
  [11, format("Q3_K", 256, 110, q3k)],
  [12, format("Q4_K", 256, 144, groups(4))],
  [13, format("Q5_K", 256, 176, groups(5))],
  [14, format("Q6_K", 256, 210, q6k)],
]);
