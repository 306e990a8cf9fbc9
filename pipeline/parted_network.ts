/**
 * A network whose parts run one after the other, for the sake of memory.
 *
 * @module
 */

import type { RunOptions, Session } from "../ffi/session.ts";
import type { Tensor } from "../ffi/tensor.ts";
import type { NetworkSession } from "./network_session.ts";

/** Sessions in turn; each is fed what those before have made. */
export class PartedNetwork implements NetworkSession {
  readonly inputs: NetworkSession["inputs"];
  /** Names of the tensors that a part is the last to use. */
  readonly #lastUses: readonly ReadonlySet<string>[];

  /** `results` are the names of what the network computes. */
  constructor(readonly sessions: readonly Session[], results: ReadonlySet<string>) {
    const made = new Set(sessions.flatMap(({ outputs }) => outputs.map(({ name }) => name)));
    const used = sessions.flatMap(({ inputs }) => [...inputs]);
    const own = new Map(used.map((info) => [info.name, info] as const));
    this.inputs = [...own.values()].filter(({ name }) => !made.has(name));
    this.#lastUses = sessions.map(({ inputs }, i) => {
      const later = new Set(
        sessions.slice(i + 1).flatMap(({ inputs }) => inputs.map(({ name }) => name)),
      );
      const names = inputs.map(({ name }) => name);
      return new Set(
        names.filter((name) => made.has(name) && !later.has(name) && !results.has(name)),
      );
    });
  }

  /** Runs all parts; gives the network's results. */
  async run(
    feeds: Readonly<Record<string, Tensor>>,
    options: RunOptions = {},
  ): Promise<Record<string, Tensor>> {
    const made: Record<string, Tensor> = {};
    try {
      for (const [i, session] of this.sessions.entries()) {
        const names = session.inputs.map(({ name }) => name);
        const needed = Object.fromEntries(names.map((name) => [name, made[name] ?? feeds[name]!]));
        Object.assign(made, await session.run(needed, options));
        for (const name of this.#lastUses[i]!) {
          made[name]!.dispose();
          delete made[name];
        }
      }
      return made;
    } catch (error) {
      for (const tensor of Object.values(made)) tensor.dispose();
      throw error;
    }
  }

  /** Whether the sessions were released. */
  get disposed(): boolean {
    return this.sessions.some(({ disposed }) => disposed);
  }

  /** Releases the sessions. */
  dispose(): void {
    for (const session of this.sessions) session.dispose();
  }
}
