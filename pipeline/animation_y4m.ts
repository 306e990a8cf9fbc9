import { frameRate } from "./animation_rate.ts";
import type { FrameSink, FrameTarget } from "./animation_sink.ts";
import { type Pixels, rgbOf } from "./pixels.ts";

/** Plain RGB, 3 bytes a pixel, frame behind frame; alpha is dropped. */
export function rawRgbSink(target: FrameTarget): FrameSink {
  return {
    write: (frame) => target.write(new Uint8Array(rgbOf(frame).buffer)),
    close: () => Promise.resolve(),
  };
}

/**
 * YUV4MPEG2, the uncompressed video that ffmpeg, x264 and mpv read from a pipe: planes of luma and
 * of blue and red difference by ITU-R BT.601, from 16 to 235 and to 240; alpha is dropped.
 *
 * With 4:2:0 one colour stands for 2 x 2 pixels and lies in their middle.
 */
export function y4mSink(
  target: FrameTarget,
  options: { readonly fps: number; readonly chroma?: "4:2:0" | "4:4:4" },
): FrameSink {
  const { fps, chroma = "4:2:0" } = options;
  const { frames, seconds } = frameRate(fps);
  const [name, block] = chroma === "4:2:0" ? ["C420jpeg", 2] as const : ["C444", 1] as const;
  const text = new TextEncoder();
  let isFirst = true;
  return {
    async write(frame) {
      if (isFirst) {
        const size = `W${frame.width} H${frame.height} F${frames}:${seconds}`;
        const header = `YUV4MPEG2 ${size} Ip A1:1 ${name} XCOLORRANGE=LIMITED\n`;
        await target.write(text.encode(header));
        isFirst = false;
      }
      await target.write(text.encode("FRAME\n"));
      for (const [row, size] of [[LUMA, 1], [BLUE, block], [RED, block]] as const) {
        await target.write(plane(frame, row, size));
      }
    },
    close: () => Promise.resolve(),
  };
}

/** An offset, and the weights of red, green and blue from 0 to 255. */
type Row = readonly [offset: number, red: number, green: number, blue: number];

const KR = 0.299, KG = 0.587, KB = 0.114;
const LUMA: Row = [16, KR * 219 / 255, KG * 219 / 255, KB * 219 / 255];
const BLUE: Row = [128, ...difference([-KR, -KG, 1 - KB], 1 - KB)];
const RED: Row = [128, ...difference([1 - KR, -KG, -KB], 1 - KR)];

/** The weights of a colour's difference from luma, scaled so that it spans 224 steps. */
function difference(weights: readonly [number, number, number], largest: number) {
  return weights.map((w) => w * 112 / 255 / largest) as [number, number, number];
}

/** One value for each `block` x `block` pixels, of their average colour. */
function plane(picture: Pixels, [offset, red, green, blue]: Row, block: number): Uint8Array {
  const { width, height, channels, data } = picture;
  const columns = Math.ceil(width / block), rows = Math.ceil(height / block);
  const out = new Uint8Array(columns * rows);
  for (let row = 0, at = 0; row < rows; row++) {
    const bottom = Math.min((row + 1) * block, height);
    for (let column = 0; column < columns; column++) {
      const right = Math.min((column + 1) * block, width);
      let sum = 0, count = 0;
      for (let y = row * block; y < bottom; y++) {
        for (let x = column * block; x < right; x++, count++) {
          const from = (y * width + x) * channels;
          sum += data[from]! * red + data[from + 1]! * green + data[from + 2]! * blue;
        }
      }
      out[at++] = Math.round(offset + sum / count);
    }
  }
  return out;
}
