/**
 * Sessions by the shape they were built for.
 *
 * @module
 */

import type { Session } from "../ffi/session.ts";

/**
 * Keeps the sessions used last. A session of another picture size is quick to build, since weights
 * stay mapped, but holds the memory of its activations: old ones are released.
 */
export class SessionCache implements Disposable {
  readonly #sessions = new Map<string, Session>();

  constructor(readonly capacity: number) {}

  /** The session for `key`, built if it is not there. */
  async get(key: string, build: () => Promise<Session>): Promise<Session> {
    let session = this.#sessions.get(key);
    this.#sessions.delete(key);
    session ??= await build();
    this.#sessions.set(key, session);
    const [oldest] = this.#sessions;
    if (oldest && this.#sessions.size > this.capacity) {
      this.#sessions.delete(oldest[0]);
      oldest[1].dispose();
    }
    return session;
  }

  /** Releases every session. */
  [Symbol.dispose](): void {
    for (const session of this.#sessions.values()) session.dispose();
    this.#sessions.clear();
  }
}
