/** A frame rate as a fraction of whole numbers. */
export interface FrameRate {
  /** Frames in `seconds`. */
  readonly frames: number;
  readonly seconds: number;
}

/**
 * `fps` as a fraction: 25 is 25/1, 29.97 is 30000/1001 (NTSC), 12.5 is 25/2; others are rounded to
 * thousandths. `frames` is at most `most`.
 */
export function frameRate(fps: number, most = 2 ** 31 - 1): FrameRate {
  const ntsc = Math.round(fps * 1.001);
  const isNtsc = !Number.isInteger(fps) && Math.abs(ntsc / 1.001 - fps) < 0.005;
  const exact = isNtsc ? { frames: ntsc * 1000, seconds: 1001 } : thousandths(fps);
  if (exact.frames <= most) return exact;
  return { frames: Math.round(fps), seconds: 1 };
}

function thousandths(fps: number): FrameRate {
  const frames = Math.max(1, Math.round(fps * 1000));
  let [divisor, rest] = [frames, 1000];
  while (rest !== 0) [divisor, rest] = [rest, divisor % rest];
  return { frames: frames / divisor, seconds: 1000 / divisor };
}
