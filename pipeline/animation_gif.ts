import { toIndexed } from "./animation_palette.ts";
import type { FrameSink, FrameTarget } from "./animation_sink.ts";

/** Red, green and blue, 0 to 255. */
export type Color = readonly [red: number, green: number, blue: number];

/** The part of gifenc that is used; the package ships no types for it. */
export interface Gifenc {
  GIFEncoder(options: { auto: boolean }): {
    writeHeader(): void;
    writeFrame(index: Uint8Array, width: number, height: number, options: {
      palette: readonly Color[];
      first: boolean;
      /** Milliseconds. */
      delay: number;
      /** -1 once, 0 without end, else how often it is repeated. */
      repeat: number;
      transparent: boolean;
      transparentIndex: number;
      /** What becomes of the frame when its time is over: 0 it stays, 2 it is cleared. */
      dispose: number;
    }): void;
    finish(): void;
    bytesView(): Uint8Array;
    reset(): void;
  };
  quantize(rgba: Uint8Array, colors: number, options: { format: "rgb444" | "rgb565" }): Color[];
  applyPalette(rgba: Uint8Array, palette: readonly Color[]): Uint8Array;
}

/** Browsers show frames shorter than this many hundredths of a second much longer. */
const SHORTEST = 2;

/**
 * Animated GIF (GIF89a): each frame has its own palette, exact if it has no more colours than that.
 * Pixels that are more than half clear become clear. Throws a RangeError above 50 frames a second.
 */
export function gifSink(
  target: FrameTarget,
  options: { readonly fps: number; readonly loop: number; readonly dither?: boolean },
): FrameSink {
  const { fps, loop, dither = true } = options;
  if (fps > 100 / SHORTEST) {
    throw new RangeError(
      `Cannot write a GIF: its frames last at least ${SHORTEST} hundredths of a second; got ` +
        `${fps} frames a second, expected at most ${100 / SHORTEST}. Write an APNG.`,
    );
  }
  let encoder: ReturnType<Gifenc["GIFEncoder"]> | undefined, count = 0;
  return {
    async write(frame) {
      const gifenc = await loadGifenc();
      encoder ??= gifenc.GIFEncoder({ auto: false });
      if (count === 0) encoder.writeHeader();
      const { palette, index, clear } = toIndexed(frame, gifenc, dither);
      encoder.writeFrame(index, frame.width, frame.height, {
        palette,
        first: count === 0,
        delay: 10 * (hundredths(count + 1, fps) - hundredths(count, fps)),
        repeat: loop === 1 ? -1 : Math.max(0, loop - 1),
        transparent: clear !== undefined,
        transparentIndex: clear ?? 0,
        dispose: frame.channels === 4 ? 2 : 0,
      });
      count++;
      await target.write(encoder.bytesView());
      encoder.reset();
    },
    async close() {
      encoder?.finish();
      await target.write(encoder?.bytesView() ?? new Uint8Array());
    },
  };
}

async function loadGifenc(): Promise<Gifenc> {
  const { default: gifenc }: { default: Gifenc } = await import("npm:gifenc@1.0.3");
  return gifenc;
}

/** When a frame begins: rounded each by itself, so that the whole keeps its pace. */
function hundredths(frame: number, fps: number): number {
  return Math.round(100 * frame / fps);
}
