/**
 * What was seen of one program.
 *
 * @module
 */

import { larger, type Memory, NO_MEMORY } from "./memory.ts";
import type { NetworkName } from "./peer.ts";

export type { NetworkName };

/** The measurements of one program, collected over its rounds and groups. */
export class Measured {
  versions: Readonly<Record<string, string>> = {};
  /** Values of each network's result, to compare with the other programs'. */
  readonly values = new Map<NetworkName, readonly number[]>();
  readonly memory = new Map<NetworkName, Memory>();
  readonly #samples = new Map<string, number[]>();

  constructor(readonly name: string) {}

  /** Adds a sample in milliseconds. */
  add(what: string, ms: number): void {
    const samples = this.#samples.get(what);
    if (samples) samples.push(ms);
    else this.#samples.set(what, [ms]);
  }

  /** Adds the most memory that a process held. */
  addMemory(memory: ReadonlyMap<NetworkName, Memory>): void {
    for (const [network, seen] of memory) {
      this.memory.set(network, larger(this.memory.get(network) ?? NO_MEMORY, seen));
    }
  }

  /** The smallest sample; undefined where there is none. */
  min(what: string): number | undefined {
    const samples = this.#samples.get(what);
    return samples && Math.min(...samples);
  }

  /** The median sample; undefined where there is none. */
  median(what: string): number | undefined {
    const samples = this.#samples.get(what)?.toSorted((a, b) => a - b);
    if (!samples) return undefined;
    const half = samples.length >> 1;
    return samples.length % 2 ? samples[half] : (samples[half - 1]! + samples[half]!) / 2;
  }

  /** The largest difference from another's result, relative to that result's largest value. */
  difference(network: NetworkName, other: Measured): number | undefined {
    const mine = this.values.get(network), theirs = other.values.get(network);
    if (!mine || !theirs) return undefined;
    const scale = Math.max(...theirs.map(Math.abs));
    return Math.max(...mine.map((value, i) => Math.abs(value - theirs[i]!))) / scale;
  }
}
