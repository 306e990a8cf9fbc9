/**
 * Lets asynchronous jobs run one after another, in the order in which they came. A session's runs take
 * turns because providers keep allocators and statistics per session that are not safe to share.
 */
export class Turns {
  #last: Promise<void> = Promise.resolve();
  #waiting = 0;

  /** Whether a job runs or waits. */
  get busy(): boolean {
    return this.#waiting > 0;
  }

  /**
   * Runs `job` when all earlier ones have ended.
   * @throws the signal's reason, at once, if it aborts while the job still waits.
   */
  async take<T>(job: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const before = this.#last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last = before.then(() => promise);
    this.#waiting++;
    try {
      await unlessAborted(before, signal);
      return await job();
    } finally {
      this.#waiting--;
      resolve();
    }
  }
}

/** Waits for `promise`, or rejects with the signal's reason as soon as it aborts. */
async function unlessAborted(promise: Promise<void>, signal?: AbortSignal): Promise<void> {
  if (signal === undefined) return await promise;
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const stop = () => reject(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  try {
    await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
