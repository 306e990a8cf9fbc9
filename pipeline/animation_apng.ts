import { frameRate } from "./animation_rate.ts";
import type { FrameSink, FrameTarget } from "./animation_sink.ts";
import { type PngChunk, pngChunk, pngChunks, pngFile } from "./png_chunks.ts";
import { encodePng } from "./png_encode.ts";

/**
 * Animated PNG (PNG specification, third edition, 11.3.6): lossless; programs that do not know
 * animations show the first frame. The texts of the first frame are kept.
 */
export function apngSink(
  target: FrameTarget,
  options: { readonly fps: number; readonly loop: number; readonly frames: number },
): FrameSink {
  const { fps, loop, frames } = options;
  let sequence = 0; // counts fcTL and fdAT chunks together
  return {
    async write(frame) {
      const isFirst = sequence === 0;
      const png = await encodePng(frame, isFirst ? frame.text : {});
      const chunks = [...pngChunks(png, "a frame")];
      const header = chunks.find(({ type }) => type === "IHDR")!.data;
      const pixels = chunks.filter(({ type }) => type === "IDAT");
      const control = pngChunk("fcTL", frameControl(sequence++, header, fps));
      if (isFirst) {
        const before = chunks.filter(({ type }) => type !== "IDAT" && type !== "IEND");
        const start = [...before.map(asChunk), pngChunk("acTL", words(frames, loop))];
        await target.write(pngFile([...start, control, ...pixels.map(asChunk)]));
      } else {
        await target.write(control);
        for (const { data } of pixels) {
          await target.write(pngChunk("fdAT", words(sequence++), data));
        }
      }
    },
    close: () => target.write(pngChunk("IEND")),
  };
}

function asChunk({ type, data }: PngChunk): Uint8Array {
  return pngChunk(type, data);
}

function words(...values: readonly number[]): Uint8Array {
  const out = new DataView(new ArrayBuffer(4 * values.length));
  values.forEach((value, i) => out.setUint32(4 * i, value));
  return new Uint8Array(out.buffer);
}

/** The whole picture, shown for one frame's time, replacing what was there. */
function frameControl(sequence: number, header: Uint8Array, fps: number): Uint8Array {
  const out = new Uint8Array(26), view = new DataView(out.buffer);
  const { frames, seconds } = frameRate(fps, 65535);
  view.setUint32(0, sequence);
  out.set(header.subarray(0, 8), 4); // width and height; the offsets stay 0
  view.setUint16(20, seconds);
  view.setUint16(22, frames);
  return out;
}
