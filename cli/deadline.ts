/**
 * A time limit for each picture.
 *
 * @module
 */

/** A picture took longer than `--timeout` allows. */
export class DeadlineError extends Error {
  override readonly name = "DeadlineError";
  constructor(readonly seconds: number) {
    super(
      `Cannot finish the picture: it took longer than ${seconds} s. Give a larger --timeout, ` +
        `fewer --steps or a smaller picture.`,
    );
  }
}

/**
 * Runs `work` with a signal that aborts with `outer`, or after `seconds`, if there is a limit.
 *
 * @throws {DeadlineError} once the time is over and the work has stopped.
 */
export async function withDeadline<T>(
  seconds: number | undefined,
  outer: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (seconds === undefined) return await work(outer);
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(new DeadlineError(seconds)), seconds * 1000);
  try {
    return await work(AbortSignal.any([outer, controller.signal]));
  } finally {
    clearTimeout(timer);
  }
}
