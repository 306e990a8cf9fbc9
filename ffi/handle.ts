import { DisposedError } from "./errors.ts";

/** Counts the native objects alive and reports each birth and death. */
export class Lifetimes {
  /** Called with lines such as `+NEW Session 0x7f...`. */
  trace: ((line: string) => void) | undefined;
  readonly #alive = new Map<string, number>();

  /** How many objects of each kind are alive; kinds with none are absent. */
  get alive(): ReadonlyMap<string, number> {
    return this.#alive;
  }

  /** Notes that an object was created. */
  born(kind: string, pointer: Deno.PointerObject): void {
    this.#alive.set(kind, (this.#alive.get(kind) ?? 0) + 1);
    this.trace?.(`+NEW ${kind} ${hex(pointer)}`);
  }

  /** Notes that an object was released. */
  died(kind: string, pointer: Deno.PointerObject): void {
    const rest = (this.#alive.get(kind) ?? 0) - 1;
    if (rest > 0) this.#alive.set(kind, rest);
    else this.#alive.delete(kind);
    this.trace?.(`-DROP ${kind} ${hex(pointer)}`);
  }
}

function hex(pointer: Deno.PointerObject): string {
  return `0x${Deno.UnsafePointer.value(pointer).toString(16)}`;
}

/** How to make a {@linkcode Resource}. */
export interface ResourceInit {
  readonly kind: string;
  readonly pointer: Deno.PointerObject;
  readonly release: (pointer: Deno.PointerObject) => void;
  readonly lifetimes: Lifetimes;
  /** Resources that must outlive this one. */
  readonly needs?: readonly Resource[];
  /** JavaScript memory that C reads through this one. */
  readonly keeps?: unknown;
}

/**
 * A native object and what it depends on. It is released once it is closed and nobody uses it: closing
 * it during a run, or before an object that needs it, only takes effect when that ends. It never refers
 * to its {@linkcode Handle}, so that the finalizer may hold it.
 */
export class Resource {
  readonly kind: string;
  readonly pointer: Deno.PointerObject;
  readonly #release: (pointer: Deno.PointerObject) => void;
  readonly #lifetimes: Lifetimes;
  readonly #needs: readonly Resource[];
  /** JavaScript memory that C reads through it; dropped on release. */
  keeps: unknown;
  #uses = 0;
  #open = true;
  #released = false;

  constructor(init: ResourceInit) {
    this.kind = init.kind;
    this.pointer = init.pointer;
    this.#release = init.release;
    this.#lifetimes = init.lifetimes;
    this.#needs = init.needs ?? [];
    this.keeps = init.keeps;
    for (const need of this.#needs) need.retain();
    this.#lifetimes.born(this.kind, this.pointer);
  }

  /** Whether its owner still wants it. */
  get open(): boolean {
    return this.#open;
  }

  /** Whether it is open, used, or needed: its memory is valid. */
  get alive(): boolean {
    return !this.#released;
  }

  /** Keeps the object alive until the matching {@linkcode Resource.letGo}. */
  retain(): void {
    if (this.#released) throw new DisposedError(this.kind);
    this.#uses++;
  }

  /** Ends one use. */
  letGo(): void {
    this.#uses--;
    this.#releaseIfUnused();
  }

  /** Says that the owner is done with it. */
  close(): void {
    this.#open = false;
    this.#releaseIfUnused();
  }

  #releaseIfUnused(): void {
    if (this.#open || this.#uses > 0 || this.#released) return;
    this.#released = true;
    this.#release(this.pointer);
    this.#lifetimes.died(this.kind, this.pointer);
    this.keeps = undefined;
    for (const need of this.#needs) need.letGo();
  }
}

// A forgotten handle closes its resource here; needs are held by the resource, so order does not matter.
const forgotten = new FinalizationRegistry<Resource>((resource) => resource.close());

/** Sole owner of one {@linkcode Resource}: closes it on disposal, or when it is forgotten. */
export class Handle implements Disposable {
  /** What it owns. */
  readonly resource: Resource;

  constructor(init: ResourceInit) {
    this.resource = new Resource(init);
    forgotten.register(this, this.resource, this);
  }

  /**
   * The native pointer.
   * @throws {DisposedError} after disposal.
   */
  get pointer(): Deno.PointerObject {
    if (!this.resource.open) throw new DisposedError(this.resource.kind);
    return this.resource.pointer;
  }

  /** Whether it was disposed. */
  get disposed(): boolean {
    return !this.resource.open;
  }

  /** Closes the resource; more calls do nothing. */
  dispose(): void {
    forgotten.unregister(this);
    this.resource.close();
  }

  /** The same as {@linkcode Handle.dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}
