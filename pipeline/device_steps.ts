/**
 * The steps of a run on the device, copied from there when somebody looks at them.
 *
 * @module
 */

import { NotFiniteError } from "../schedulers/denoise.ts";
import type { Plan } from "../schedulers/plan.ts";
import type { LatentSize } from "./autoencoder.ts";
import type { DeviceLoop } from "./device_loop.ts";
import type { PreparedDeviceRun } from "./device_run.ts";
import { latentsOnDevice } from "./latents_on_device.ts";
import type { Step } from "./step.ts";

/**
 * Makes the run. What a step holds is copied from the device when it is read, which must be before
 * the next step, but for the latents of the last one: those stay there. What is read is checked.
 *
 * @throws {NotFiniteError} from a step's members.
 */
export async function* runOnDevice(
  { loop, run }: PreparedDeviceRun,
  plan: Plan,
  size: LatentSize,
  signal?: AbortSignal,
): AsyncGenerator<Step, void, void> {
  loop.busy = true;
  try {
    await loop.begin(run.inputs, signal);
    for (const index of plan.stages.keys()) {
      await loop.advance(signal);
      // A run that blocks the thread lets others, and Ctrl-C, have a turn.
      if (loop.recorded) await new Promise((resolve) => setTimeout(resolve));
      signal?.throwIfAborted();
      yield lazyStep(loop, plan, index, size);
    }
  } finally {
    loop.busy = false;
  }
}

function lazyStep(loop: DeviceLoop, { stages }: Plan, index: number, size: LatentSize): Step {
  const stage = stages[index]!, count = stages.length, { steps } = loop;
  const checked = (data: Float32Array): Float32Array => {
    if (data.every(Number.isFinite)) return data;
    throw new NotFiniteError(index, stage, count, "the new sample is");
  };
  const read = once(() => {
    if (loop.steps !== steps) {
      throw new TypeError(`Cannot read step ${index + 1}: the device has gone on. Read it before.`);
    }
    const { latents, clean } = loop.read();
    return { latents: { ...size, data: checked(latents) }, denoised: { ...size, data: clean } };
  });
  const { timestep, sigma } = stage;
  const step = { index, count, timestep, sigma, stage };
  // What the run ends in stays there after others have begun.
  const last = index === count - 1 ? loop.take() : undefined;
  const kept = last && latentsOnDevice(size, last, () => checked(loop.copied(last)));
  return {
    ...step,
    get latents() {
      return kept ?? read().latents;
    },
    get denoised() {
      return read().denoised;
    },
  };
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
