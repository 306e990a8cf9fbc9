/**
 * A time limit for each picture.
 *
 * @module
 */

/** A picture took longer than `--timeout` allows. */
export class DeadlineError extends Error {
  override readonly name = "DeadlineError";
  /** `seconds` is for each picture of a batch. */
  constructor(readonly seconds: number, batch = 1) {
    super(
      `Cannot finish the picture: it took longer than ${seconds} s` +
        `${batch > 1 ? ` for each of a batch of ${batch}` : ""}. Give a larger --timeout, ` +
        `fewer --steps or a smaller picture.`,
    );
  }
}

/**
 * Runs `work` with a signal that aborts with `outer`, or after `seconds`, if there is a limit. The
 * pictures of a `batch` take turns: each has the time of all.
 *
 * @throws {DeadlineError} once the time is over and the work has stopped.
 */
export async function withDeadline<T>(
  seconds: number | undefined,
  outer: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
  batch = 1,
): Promise<T> {
  if (seconds === undefined) return await work(outer);
  const controller = new AbortController();
  const stop = () => controller.abort(new DeadlineError(seconds, batch));
  const timer = setTimeout(stop, seconds * 1000 * batch);
  try {
    return await work(AbortSignal.any([outer, controller.signal]));
  } finally {
    clearTimeout(timer);
  }
}
