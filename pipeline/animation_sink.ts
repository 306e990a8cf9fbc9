import type { Image } from "./image.ts";

/** Where the bytes of an animation go. */
export interface FrameTarget {
  /** Takes all of `bytes`, which are used again once the promise is fulfilled. */
  write(bytes: Uint8Array): Promise<void>;
}

/** Takes the frames of one animation, in order. */
export interface FrameSink {
  /** Adds a frame; throws a RangeError if its size differs from the first one's. */
  write(frame: Image): Promise<void>;
  /** Writes what comes last; throws a RangeError if there are no frames, or fewer than announced. */
  close(): Promise<void>;
}
