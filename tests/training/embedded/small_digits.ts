import { join } from "node:path";
import { DIGIT_SIDE, DIGIT_SIZE, type Digits } from "../../../training/digits_data.ts";
import { fieldsOf, saveFields } from "../../../training/embedded/fields.ts";

/** One stroke-made digit of each kind, thirty pixels or so of ink: enough to draw from. */
export function smallDigits(): Digits {
  const pixels = new Float32Array(10 * DIGIT_SIZE).fill(-1);
  for (let digit = 0; digit < 10; digit++) {
    for (let y = 5; y < 23; y++) {
      for (let x = 7; x < 21; x++) {
        // A frame with bars where the digit's bits are: all ten differ.
        const bar = (digit >> Math.floor((y - 5) / 4.5)) & 1 && x < 12;
        const frame = y < 8 || y > 19 || x > 17;
        if (bar || frame) pixels[digit * DIGIT_SIZE + y * DIGIT_SIDE + x] = 1;
      }
    }
  }
  return { pixels, labels: Uint8Array.from({ length: 10 }, (_, digit) => digit) };
}

/** Puts their fields where a training of `output` looks for its own. */
export async function prepare(output: string): Promise<void> {
  const folder = `${output}.training`, fields = fieldsOf(smallDigits());
  await Deno.mkdir(folder);
  await saveFields(join(folder, "training_fields.safetensors"), fields);
  await saveFields(join(folder, "held_out_fields.safetensors"), fields);
}
