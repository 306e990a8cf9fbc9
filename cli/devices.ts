/**
 * Several devices, each with a pipeline of its own, that share the pictures of a run.
 *
 * @module
 */

import { type OpenOptions, type Provider, StableDiffusion } from "../mod.ts";

/** A pipeline for each device. */
export interface Devices extends AsyncDisposable {
  readonly all: readonly [StableDiffusion, ...StableDiffusion[]];
}

/** Opens the model for each list of providers. Dispose what it gives. */
export async function openDevices(
  model: string | undefined,
  options: OpenOptions,
  devices: readonly (readonly Provider[])[],
): Promise<Devices> {
  const all: StableDiffusion[] = [];
  const dispose = async () => {
    for (const sd of all) await sd[Symbol.asyncDispose]();
  };
  try {
    for (const providers of devices) {
      all.push(await StableDiffusion.open(model, { ...options, providers }));
    }
  } catch (error) {
    await dispose();
    throw error;
  }
  const [first, ...others] = all;
  return { all: [first!, ...others], [Symbol.asyncDispose]: dispose };
}

/**
 * Gives items to whichever worker is free. Once one has failed no more are given; those under way
 * are awaited, and then its error is thrown.
 */
export async function shared<W, T>(
  workers: readonly W[],
  items: AsyncGenerator<T, void, void>,
  work: (worker: W, item: T) => Promise<void>,
): Promise<void> {
  let failed = false;
  const results = await Promise.allSettled(workers.map(async (worker) => {
    while (!failed) {
      const { done, value } = await items.next();
      if (done || failed) return;
      try {
        await work(worker, value);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  }));
  await items.return();
  for (const result of results) if (result.status === "rejected") throw result.reason;
}
