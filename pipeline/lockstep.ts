/**
 * Pictures drawn in step: what their runs ask the U-Net at the same time, it answers in one run.
 *
 * @module
 */

import type { Answer, Ask } from "./unet_batch.ts";
import type { UNetBatches } from "./unet_batches.ts";

/** Who answers asks: the pictures of one step may be drawn by several networks. */
export interface BatchSource {
  /** Keeps batches; `rows` says how many rows one has for so many asks. */
  batches(rows?: (asks: number) => number): UNetBatches;
}

/** One picture's place among those that are drawn in step: an option of `generate` and `denoise`. */
export interface Seat {
  /** How many pictures are drawn in step. */
  readonly count: number;
  /**
   * Whether the picture ever asked one thing only. Alone it would have had the U-Net to itself, whose
   * kernels round one row otherwise than several.
   */
  readonly askedOne: boolean;
  /**
   * Answers when every picture that is still drawn has asked. @throws the signal's reason
   * @internal
   */
  ask(source: BatchSource, asks: readonly Ask[], signal?: AbortSignal): Promise<Answer[]>;
}

/**
 * Draws pictures in step. Each of `draws` gets its seat, for the option `seat` of the picture that
 * it draws; a single one is drawn alone, without. One that fails or is stopped does not hold up the
 * others. They begin one after another, and none may wait for another one's end.
 *
 * ```ts
 * const seeds = [1, 2, 3, 4];
 * const results = await inStep(seeds.map((seed) => (seat) => sd.generate({ prompt, seed, seat })));
 * ```
 */
export async function inStep<T>(
  draws: readonly ((seat?: Seat) => Promise<T>)[],
): Promise<PromiseSettledResult<T>[]> {
  if (draws.length < 2) return await Promise.allSettled(draws.map((draw) => draw()));
  using step = new Lockstep(draws.length);
  const drawn: Promise<T>[] = [];
  for (const draw of draws) {
    const seat = new LockstepSeat(step);
    const picture = (async () => await draw(seat))().finally(() => seat.leave());
    picture.catch(() => {}); // told at the end
    drawn.push(picture);
    await seat.begun;
  }
  return await Promise.allSettled(drawn);
}

/** What one picture waits for. */
interface Waiting {
  readonly source: BatchSource;
  readonly asks: readonly Ask[];
  readonly signal: AbortSignal | undefined;
  readonly answer: PromiseWithResolvers<Answer[]>;
}

/** The pictures that are still drawn, and what they wait for. */
class Lockstep implements Disposable {
  readonly #batches = new Map<BatchSource, UNetBatches>();
  #waiting: Waiting[] = [];

  constructor(public seated: number) {
    this.count = seated;
  }

  readonly count: number;

  async ask(ask: Omit<Waiting, "answer">): Promise<Answer[]> {
    ask.signal?.throwIfAborted();
    const waiting: Waiting = { ...ask, answer: Promise.withResolvers() };
    this.#waiting.push(waiting);
    this.#answerIfAllWait();
    return await unlessAborted(waiting.answer.promise, ask.signal, () => {
      this.#waiting = this.#waiting.filter((other) => other !== waiting);
    });
  }

  leave(): void {
    this.seated--;
    this.#answerIfAllWait();
  }

  [Symbol.dispose](): void {
    for (const batches of this.#batches.values()) batches[Symbol.dispose]();
  }

  #answerIfAllWait(): void {
    if (this.#waiting.length < this.seated) return;
    const bySource = Map.groupBy(this.#waiting.splice(0), ({ source }) => source);
    for (const [source, waiting] of bySource) this.#answer(source, waiting);
  }

  async #answer(source: BatchSource, waiting: readonly Waiting[]): Promise<void> {
    try {
      let batches = this.#batches.get(source);
      // Two rows at least: one picture that is left shall not be rounded otherwise than before.
      const rows = (asks: number) => Math.max(asks, 2);
      if (!batches) this.#batches.set(source, batches = source.batches(rows));
      using signal = new SharedSignal(waiting.map(({ signal }) => signal));
      const answers = await batches.answer(waiting.flatMap(({ asks }) => asks), signal.whenAll);
      let at = 0;
      for (const { asks, answer } of waiting) {
        answer.resolve(answers.slice(at, at += asks.length));
      }
    } catch (error) {
      for (const { answer } of waiting) answer.reject(error);
    }
  }
}

class LockstepSeat implements Seat {
  readonly count: number;
  readonly begun: Promise<void>;
  readonly #begin: () => void;
  #askedOne = false;

  constructor(readonly step: Lockstep) {
    this.count = step.count;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.begun = promise;
    this.#begin = resolve;
  }

  get askedOne(): boolean {
    return this.#askedOne;
  }

  async ask(source: BatchSource, asks: readonly Ask[], signal?: AbortSignal): Promise<Answer[]> {
    const byLength = Map.groupBy(asks, ({ conditioning: { tokens } }) => tokens);
    this.#askedOne ||= [...byLength.values()].some((own) => own.length === 1);
    this.#begin();
    return await this.step.ask({ source, asks, signal });
  }

  leave(): void {
    this.#begin();
    this.step.leave();
  }
}

/** Rejects at once when the signal aborts, after `forget`. */
async function unlessAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
  forget: () => void,
): Promise<T> {
  if (!signal) return await promise;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const stop = () => {
    forget();
    reject(signal.reason);
  };
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** A run goes on as long as one of its pictures wants it. */
class SharedSignal implements Disposable {
  /** Aborts when all have. */
  readonly whenAll: AbortSignal | undefined;
  readonly #over = new AbortController();

  constructor(signals: readonly (AbortSignal | undefined)[]) {
    const all = [...new Set(signals)], controller = new AbortController();
    let left = all.length;
    if (left === 1) this.whenAll = all[0];
    if (left === 1 || all.includes(undefined)) return;
    this.whenAll = controller.signal;
    for (const signal of all) {
      const count = () => {
        if (--left === 0) controller.abort(signal!.reason);
      };
      if (signal!.aborted) count();
      else signal!.addEventListener("abort", count, { once: true, signal: this.#over.signal });
    }
  }

  [Symbol.dispose](): void {
    this.#over.abort();
  }
}
