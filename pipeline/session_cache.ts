/**
 * Sessions by the shape they were built for.
 *
 * @module
 */

import type { NetworkSession } from "./network_session.ts";

/**
 * Keeps the sessions used last. A session of another picture size is quick to build, since weights
 * stay mapped, but holds the memory of its activations: old ones are released.
 */
export class SessionCache implements Disposable {
  readonly #sessions = new Map<string, Promise<NetworkSession>>();

  constructor(readonly capacity: number) {}

  /** The session for `key`, built once if it is not there. */
  async get(key: string, build: () => Promise<NetworkSession>): Promise<NetworkSession> {
    let session = this.#sessions.get(key);
    this.#sessions.delete(key);
    if (!session) {
      session = build();
      session.catch(() => this.#sessions.delete(key)); // it may be built another time
    }
    this.#sessions.set(key, session);
    const [oldest] = this.#sessions;
    if (oldest && this.#sessions.size > this.capacity) {
      this.#sessions.delete(oldest[0]);
      release(oldest[1]);
    }
    return await session;
  }

  /** Releases every session. */
  [Symbol.dispose](): void {
    for (const session of this.#sessions.values()) release(session);
    this.#sessions.clear();
  }
}

/** Releases a session, as soon as it is built; who asked for it hears of a failure. */
function release(session: Promise<NetworkSession>): void {
  session.then((built) => built.dispose(), () => {});
}
