import { PickleGlobal, PickleTuple } from "./pickle.ts";
import type { PickleWorld } from "./pickle.ts";
import { PickleError } from "./pickle_reader.ts";
import { isStoredDType } from "./stored_tensor.ts";
import type { StoredDType } from "./stored_tensor.ts";

/** Elements that a checkpoint keeps in an entry of its own; `dtype` is undefined for raw bytes. */
export class TorchStorage {
  constructor(readonly key: string, readonly dtype: StoredDType | undefined) {}
}

/** A view of a storage; offset and strides count elements. */
export class TorchTensor {
  constructor(
    readonly storage: TorchStorage,
    readonly dtype: StoredDType,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {}
}

/** The dtypes by torch's names, and by those of its typed storages. */
const DTYPES: Readonly<Record<string, StoredDType>> = {
  float32: "F32",
  float16: "F16",
  bfloat16: "BF16",
  float64: "F64",
  int64: "I64",
  int32: "I32",
  int16: "I16",
  int8: "I8",
  uint64: "U64",
  uint32: "U32",
  uint16: "U16",
  uint8: "U8",
  bool: "BOOL",
  float8_e4m3fn: "F8_E4M3",
  float8_e5m2: "F8_E5M2",
};
const STORAGES: Readonly<Record<string, StoredDType>> = {
  FloatStorage: "F32",
  HalfStorage: "F16",
  BFloat16Storage: "BF16",
  DoubleStorage: "F64",
  LongStorage: "I64",
  IntStorage: "I32",
  ShortStorage: "I16",
  CharStorage: "I8",
  ByteStorage: "U8",
  BoolStorage: "BOOL",
};

type Call = (args: readonly unknown[]) => unknown;

/** Everything that may be called, by its full name; nothing outside this table has any effect. */
const CALLS: Readonly<Record<string, Call>> = {
  "torch._utils._rebuild_tensor_v2": ([storage, offset, shape, strides]) =>
    tensor(storage, offset, shape, strides),
  "torch._utils._rebuild_tensor_v3": ([storage, offset, shape, strides, , , dtype]) =>
    tensor(storage, offset, shape, strides, dtype),
  "torch._utils._rebuild_parameter": ([data]) => data,
  "torch._utils._rebuild_parameter_with_state": ([data]) => data,
  "torch._tensor._rebuild_from_type_v2": ([rebuild, , args]) => rebuildOnce(rebuild, args),
  "torch.nn.modules.container.ParameterDict": () => new ParameterDict(),
  "torch.Size": ([items]) => items,
  "torch.device": ([name]) => name,
  "collections.OrderedDict": ([pairs]) => dict(pairs),
  "collections.defaultdict": () => new Map(),
  "collections.Counter": ([counts]) => counts instanceof Map ? counts : new Map(),
  "builtins.set": ([items]) => new Set(itemsOf(items)),
  "_codecs.encode": ([text]) => latin1(text),
  "numpy.dtype": ([code]) => new NumpyDType(textOf(code, "numpy's type code")),
  "numpy.core.multiarray.scalar": ([dtype, bytes]) => numpyScalar(dtype, bytes),
};

/** Names that files carry without calling them: the keys of Lightning's callbacks, types, factories. */
const INERT = new Set([
  "torch.Tensor",
  "torch.nn.parameter.Parameter",
  "torch.storage.UntypedStorage",
  "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint",
  "builtins.dict",
  "builtins.list",
  "builtins.int",
  "builtins.long",
  "builtins.float",
]);

/** Python 2's and numpy 2's other homes of the same things. */
const ALIASES: Readonly<Record<string, string>> = {
  __builtin__: "builtins",
  "numpy._core.multiarray": "numpy.core.multiarray",
};

/** The world of a torch checkpoint: tensors, dicts, numbers, and nothing that could run code. */
export const torchWorld: PickleWorld = {
  global(module, name) {
    const home = Object.hasOwn(ALIASES, module) ? ALIASES[module]! : module;
    const full = `${home}.${name}`;
    if (home === "torch" && Object.hasOwn(DTYPES, name)) return DTYPES[name];
    const isStorage = home === "torch" && Object.hasOwn(STORAGES, name);
    if (Object.hasOwn(CALLS, full) || INERT.has(full) || isStorage) {
      return new PickleGlobal(home, name);
    }
    throw new PickleError(
      `it names ${full}, which weights do not need and which could run code when called`,
    );
  },
  call,
  build(target, state) {
    if (target instanceof NumpyDType) return target.setState(state);
    if (target instanceof ParameterDict) return target.setState(state);
    // A state dict's _metadata and a parameter's attributes: versions and hooks, not weights.
    if (target instanceof Map || target instanceof TorchTensor) return;
    throw new PickleError("it sets the state of something that has none");
  },
  persistent(id) {
    const [kind, type, key] = itemsOf(id);
    if (kind !== "storage" || !(type instanceof PickleGlobal) || typeof key !== "string") {
      throw new PickleError("a persistent id is not that of a tensor's storage");
    }
    return new TorchStorage(key, STORAGES[type.name]);
  },
};

function call(callable: unknown, args: readonly unknown[]): unknown {
  const name = nameOf(callable);
  const found = callable instanceof PickleGlobal && Object.hasOwn(CALLS, name);
  if (!found) throw new PickleError(`it calls ${name}, which is not allowed`);
  return CALLS[name]!(args);
}

/** Not itself: a chain of them could be deeper than the stack. */
function rebuildOnce(rebuild: unknown, args: unknown): unknown {
  const name = nameOf(rebuild);
  if (name.endsWith("_rebuild_from_type_v2")) throw new PickleError(`it calls ${name} by itself`);
  return call(rebuild, itemsOf(args));
}

/** For messages; never `String` of what a pickle made, which it could make endlessly long. */
function nameOf(value: unknown): string {
  return value instanceof PickleGlobal ? value.toString() : `a value of type ${typeof value}`;
}

function textOf(value: unknown, what: string): string {
  if (typeof value === "string") return value;
  throw new PickleError(`${what} is not text`);
}

function itemsOf(value: unknown): readonly unknown[] {
  if (value instanceof PickleTuple) return value.items;
  if (Array.isArray(value)) return value;
  throw new PickleError("an argument is not a tuple or list");
}

function counts(value: unknown, what: string): number[] {
  const items = itemsOf(value);
  if (items.every((n) => Number.isSafeInteger(n) && (n as number) >= 0)) return items as number[];
  throw new PickleError(`a tensor's ${what} is not made of sizes`);
}

function tensor(
  storage: unknown,
  offset: unknown,
  shape: unknown,
  strides: unknown,
  dtype?: unknown,
): TorchTensor {
  if (!(storage instanceof TorchStorage)) throw new PickleError("a tensor has no storage");
  const type = dtype ?? storage.dtype;
  if (!isStoredDType(type)) throw new PickleError("a tensor's dtype is not known");
  const [start] = counts([offset], "offset");
  const sizes = counts(shape, "shape"), steps = counts(strides, "strides");
  if (sizes.length !== steps.length) {
    throw new PickleError("a tensor's strides do not fit its shape");
  }
  return new TorchTensor(storage, type, start!, sizes, steps);
}

function dict(pairs: unknown): Map<unknown, unknown> {
  const map = new Map<unknown, unknown>();
  for (const pair of pairs === undefined ? [] : itemsOf(pairs)) {
    const [key, value] = itemsOf(pair);
    map.set(key, value);
  }
  return map;
}

/** Python 3 pickles bytes for protocol 2 as text, one character a byte. */
function latin1(text: unknown): Uint8Array {
  return Uint8Array.from(textOf(text, "encoded text"), (character) => character.charCodeAt(0));
}

/** The embeddings of the first textual inversion are in a module, whose state has the tensors. */
class ParameterDict extends Map<unknown, unknown> {
  setState(state: unknown): void {
    const parameters: unknown = state instanceof Map ? state.get("_parameters") : undefined;
    if (parameters instanceof Map) { for (const [key, value] of parameters) this.set(key, value); }
  }
}

/** numpy's type code, as "f8" or "i4"; the byte order arrives with its state. */
class NumpyDType {
  #littleEndian = true;
  constructor(readonly code: string) {}

  setState(state: unknown): void {
    this.#littleEndian = itemsOf(state)[1] !== ">";
  }

  read(bytes: Uint8Array): unknown {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const size = Number(this.code.slice(1));
    if (size !== bytes.length) throw new PickleError("a numpy number has the wrong length");
    const little = this.#littleEndian;
    switch (this.code) {
      case "f8":
        return view.getFloat64(0, little);
      case "f4":
        return view.getFloat32(0, little);
      case "i8":
        return Number(view.getBigInt64(0, little));
      case "i4":
        return view.getInt32(0, little);
      case "b1":
        return view.getUint8(0) !== 0;
    }
    throw new PickleError(`a numpy number of type ${this.code} is not known`);
  }
}

function numpyScalar(dtype: unknown, bytes: unknown): unknown {
  if (dtype instanceof NumpyDType && bytes instanceof Uint8Array) return dtype.read(bytes);
  throw new PickleError("a numpy number is not made of a type and bytes");
}
