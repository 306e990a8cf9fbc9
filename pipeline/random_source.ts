/**
 * Whose random numbers a run draws.
 *
 * @module
 */

import type { NormalSource } from "../schedulers/random/normal_source.ts";
import { NumpyRandomState } from "../schedulers/random/numpy.ts";
import { TorchCudaGenerator } from "../schedulers/random/philox.ts";
import { TorchCpuGenerator } from "../schedulers/random/torch_cpu.ts";

/** torch's CPU generator, torch's CUDA generator, or NumPy's RandomState. */
export type RandomKind = "cpu" | "cuda" | "numpy";

/** A generator with `seed`. @throws {RangeError} for a seed that it does not take. */
export function randomSource(kind: RandomKind, seed: number | bigint): NormalSource {
  switch (kind) {
    case "cpu":
      return new TorchCpuGenerator(seed);
    case "cuda":
      return new TorchCudaGenerator(seed);
    case "numpy":
      return new NumpyRandomState(Number(BigInt.asUintN(32, BigInt(seed))));
  }
}
