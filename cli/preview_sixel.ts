/**
 * Pictures for terminals that read DEC's sixels (VT330/VT340 manual, chapter 14).
 *
 * @module
 */

import type { Image } from "../mod.ts";

/** Levels of each of R, G and B: 216 colours, within the 256 registers that terminals have. */
const LEVELS = 6;

/** Bayer's 4 x 4 matrix, -0.5 to 0.5: spreads what the few colours cannot show. */
const BAYER = [0, 8, 2, 10, 12, 4, 14, 6, 3, 11, 1, 9, 15, 7, 13, 5].map((n) =>
  (n + 0.5) / 16 - 0.5
);

/** The picture as a sixel sequence; RGB only. */
export function sixels(image: Image): string {
  const { width, height } = image, registers = quantize(image);
  const palette = [...new Set(registers)].sort((a, b) => a - b).map(definition).join("");
  let bands = "";
  for (let top = 0; top < height; top += 6) bands += `${band(registers, width, height, top)}-`;
  // P2 = 1: pixels that are not painted stay as they are. The raster is 1:1 in width x height.
  return `\x1bP0;1q"1;1;${width};${height}${palette}${bands}\x1b\\`;
}

/** The register of each pixel, dithered. */
function quantize({ width, data }: Image): Uint8Array {
  const registers = new Uint8Array(data.length / 3);
  for (let i = 0; i < registers.length; i++) {
    const shift = BAYER[(Math.floor(i / width) % 4) * 4 + (i % width) % 4]!;
    let register = 0;
    for (let c = 0; c < 3; c++) {
      const level = Math.round(data[3 * i + c]! / 255 * (LEVELS - 1) + shift);
      register = register * LEVELS + Math.min(Math.max(level, 0), LEVELS - 1);
    }
    registers[i] = register;
  }
  return registers;
}

/** `#register;2;R;G;B`, colours in percent. */
function definition(register: number): string {
  const percent = (level: number) => Math.round(level / (LEVELS - 1) * 100);
  const r = Math.floor(register / LEVELS ** 2), g = Math.floor(register / LEVELS) % LEVELS;
  return `#${register};2;${percent(r)};${percent(g)};${percent(register % LEVELS)}`;
}

/** Six rows of pixels: for each colour a line of characters, one overprinted on the other by `$`. */
function band(registers: Uint8Array, width: number, height: number, top: number): string {
  const rows = Math.min(6, height - top);
  const lines = new Map<number, Uint8Array>();
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < width; x++) {
      const register = registers[(top + y) * width + x]!;
      let line = lines.get(register);
      if (!line) lines.set(register, line = new Uint8Array(width));
      line[x]! |= 1 << y;
    }
  }
  return [...lines].map(([register, line]) => `#${register}${runs(line)}`).join("$");
}

/** Characters 63 + bits; four equal ones or more as `!count`. */
function runs(line: Uint8Array): string {
  let out = "";
  for (let x = 0, end = 0; x < line.length; x = end) {
    while (end < line.length && line[end] === line[x]) end++;
    const character = String.fromCharCode(63 + line[x]!), count = end - x;
    out += count > 3 ? `!${count}${character}` : character.repeat(count);
  }
  return out;
}
