import { PickleError, PickleReader } from "./pickle_reader.ts";

/** A class or function that a pickle names; nothing is ever imported or called by name. */
export class PickleGlobal {
  constructor(readonly module: string, readonly name: string) {}
  toString(): string {
    return `${this.module}.${this.name}`;
  }
}

/** A Python tuple; lists are arrays. */
export class PickleTuple {
  constructor(readonly items: readonly unknown[]) {}
}

/** What the reader of a pickle decides: which globals may be named and what calling them makes. */
export interface PickleWorld {
  /** The value of a global; throws for those that are not allowed. */
  global(module: string, name: string): unknown;
  /** `callable(*args)`, also for `callable.__new__`; throws when it is not allowed. */
  call(callable: unknown, args: readonly unknown[]): unknown;
  /** Applies `__setstate__`. */
  build(target: unknown, state: unknown): void;
  /** An object kept outside the pickle. */
  persistent(id: unknown): unknown;
}

const MARK = Symbol("mark");

/**
 * Reads a Python pickle of protocol 2 to 5 (CPython, Lib/pickletools.py) as data: dict -> Map,
 * list -> array, tuple -> PickleTuple, set -> Set, bytes -> Uint8Array, int -> number or bigint.
 * Only the opcodes that plain data and tensors need exist here; all others throw PickleError.
 */
export function unpickle(bytes: Uint8Array, world: PickleWorld): unknown {
  return new Unpickler(bytes, world).run();
}

/** The stack and the memo, and what the opcodes do to them. */
class Unpickler extends PickleReader {
  readonly #world: PickleWorld;
  readonly #stack: unknown[] = [];
  readonly #memo = new Map<number, unknown>();

  constructor(bytes: Uint8Array, world: PickleWorld) {
    super(bytes);
    this.#world = world;
  }

  run(): unknown {
    for (;;) {
      const at = this.position;
      const opcode = String.fromCharCode(this.u8());
      if (opcode === ".") return this.pop();
      const step = OPCODES[opcode];
      if (step === undefined) {
        const code = opcode.charCodeAt(0).toString(16).padStart(2, "0");
        throw new PickleError(`opcode 0x${code} at byte ${at} is not one that weights need`);
      }
      step(this);
    }
  }

  push(value: unknown): void {
    this.#stack.push(value);
  }

  pop(): unknown {
    if (this.#stack.length === 0 || this.#stack.at(-1) === MARK) {
      throw new PickleError(`the pickle takes more than it has put, at byte ${this.position}`);
    }
    return this.#stack.pop();
  }
  top(): unknown {
    const value = this.pop();
    this.#stack.push(value);
    return value;
  }

  mark(): void {
    this.#stack.push(MARK);
  }

  popToMark(): unknown[] {
    const mark = this.#stack.lastIndexOf(MARK);
    if (mark < 0) {
      throw new PickleError(`the pickle has no mark to go back to, at byte ${this.position}`);
    }
    const items = this.#stack.splice(mark);
    return items.slice(1);
  }

  remember(index: number = this.#memo.size): void {
    this.#memo.set(index, this.top());
  }

  recall(index: number): void {
    if (!this.#memo.has(index)) throw new PickleError(`nothing was remembered as ${index}`);
    this.push(this.#memo.get(index));
  }

  global(module: unknown, name: unknown): void {
    if (typeof module !== "string" || typeof name !== "string") {
      throw new PickleError("the name of a global is not text");
    }
    this.push(this.#world.global(module, name));
  }

  call(): void {
    const args = this.pop(), callable = this.pop();
    if (!(args instanceof PickleTuple)) {
      throw new PickleError("the arguments of a call are no tuple");
    }
    this.push(this.#world.call(callable, args.items));
  }

  build(): void {
    const state = this.pop();
    this.#world.build(this.top(), state);
  }

  persistent(): void {
    this.push(this.#world.persistent(this.pop()));
  }
}

function setItems(target: unknown, items: readonly unknown[]): void {
  if (!(target instanceof Map)) throw new PickleError("items are set on something that is no dict");
  if (items.length % 2 !== 0) throw new PickleError("a dict's key has no value");
  for (let i = 0; i < items.length; i += 2) target.set(items[i], items[i + 1]);
}

function append(target: unknown, items: readonly unknown[]): void {
  if (!Array.isArray(target)) {
    throw new PickleError("items are appended to something that is no list");
  }
  for (const item of items) target.push(item);
}

function include(target: unknown, items: readonly unknown[]): void {
  if (!(target instanceof Set)) {
    throw new PickleError("items are added to something that is no set");
  }
  for (const item of items) target.add(item);
}

function dict(items: readonly unknown[]): Map<unknown, unknown> {
  const map = new Map<unknown, unknown>();
  setItems(map, items);
  return map;
}

/** Pops `count` values, in the order that they were pushed. */
function take(p: Unpickler, count: number): unknown[] {
  return Array.from({ length: count }, () => p.pop()).reverse();
}

/** Opcodes by their character; the names beside them are pickletools'. */
const OPCODES: Readonly<Record<string, (p: Unpickler) => void>> = {
  "\x80": (p) => protocol(p.u8()), // PROTO
  "\x95": (p) => void p.u64(), // FRAME: only a hint for buffering
  N: (p) => p.push(null), // NONE
  "\x88": (p) => p.push(true), // NEWTRUE
  "\x89": (p) => p.push(false), // NEWFALSE
  J: (p) => p.push(p.i32()), // BININT
  K: (p) => p.push(p.u8()), // BININT1
  M: (p) => p.push(p.u16()), // BININT2
  "\x8a": (p) => p.push(p.long(p.u8())), // LONG1
  "\x8b": (p) => p.push(p.long(p.u32())), // LONG4
  G: (p) => p.push(p.f64()), // BINFLOAT
  X: (p) => p.push(p.text(p.u32())), // BINUNICODE
  "\x8c": (p) => p.push(p.text(p.u8())), // SHORT_BINUNICODE
  "\x8d": (p) => p.push(p.text(p.u64())), // BINUNICODE8
  T: (p) => p.push(p.text(p.u32())), // BINSTRING
  U: (p) => p.push(p.text(p.u8())), // SHORT_BINSTRING
  B: (p) => p.push(p.data(p.u32())), // BINBYTES
  C: (p) => p.push(p.data(p.u8())), // SHORT_BINBYTES
  "\x8e": (p) => p.push(p.data(p.u64())), // BINBYTES8
  "\x96": (p) => p.push(p.data(p.u64())), // BYTEARRAY8
  "(": (p) => p.mark(), // MARK
  "0": (p) => void p.pop(), // POP
  "1": (p) => void p.popToMark(), // POP_MARK
  ")": (p) => p.push(new PickleTuple([])), // EMPTY_TUPLE
  t: (p) => p.push(new PickleTuple(p.popToMark())), // TUPLE
  "\x85": (p) => p.push(new PickleTuple(take(p, 1))), // TUPLE1
  "\x86": (p) => p.push(new PickleTuple(take(p, 2))), // TUPLE2
  "\x87": (p) => p.push(new PickleTuple(take(p, 3))), // TUPLE3
  "]": (p) => p.push([]), // EMPTY_LIST
  l: (p) => p.push(p.popToMark()), // LIST
  a: (p) => appendTo(p, take(p, 1)), // APPEND
  e: (p) => appendTo(p, p.popToMark()), // APPENDS
  "}": (p) => p.push(new Map()), // EMPTY_DICT
  d: (p) => p.push(dict(p.popToMark())), // DICT
  s: (p) => setOn(p, take(p, 2)), // SETITEM
  u: (p) => setOn(p, p.popToMark()), // SETITEMS
  "\x8f": (p) => p.push(new Set()), // EMPTY_SET
  "\x90": (p) => addTo(p, p.popToMark()), // ADDITEMS
  "\x91": (p) => p.push(new Set(p.popToMark())), // FROZENSET
  q: (p) => p.remember(p.u8()), // BINPUT
  r: (p) => p.remember(p.u32()), // LONG_BINPUT
  "\x94": (p) => p.remember(), // MEMOIZE
  h: (p) => p.recall(p.u8()), // BINGET
  j: (p) => p.recall(p.u32()), // LONG_BINGET
  c: (p) => p.global(p.line(), p.line()), // GLOBAL
  "\x93": (p) => stackGlobal(p, take(p, 2)), // STACK_GLOBAL
  R: (p) => p.call(), // REDUCE
  "\x81": (p) => p.call(), // NEWOBJ
  b: (p) => p.build(), // BUILD
  Q: (p) => p.persistent(), // BINPERSID
};

function protocol(version: number): void {
  if (version < 2 || version > 5) {
    throw new PickleError(`its protocol is ${version}, expected 2 to 5`);
  }
}

const appendTo = (p: Unpickler, items: readonly unknown[]) => append(p.top(), items);
const setOn = (p: Unpickler, items: readonly unknown[]) => setItems(p.top(), items);
const addTo = (p: Unpickler, items: readonly unknown[]) => include(p.top(), items);
const stackGlobal = (p: Unpickler, [module, name]: unknown[]) => p.global(module, name);
