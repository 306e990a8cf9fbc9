import type { OrtApi, OrtApiNonblocking } from "../../ffi/api.ts";
import { ORT_API } from "../../ffi/api_table.ts";
import { codeOf, type DType } from "../../ffi/dtype.ts";
import type { Library } from "../../ffi/library.ts";
import { textAt } from "../../ffi/memory.ts";

type Argument = Deno.PointerValue | BufferSource | number | bigint | boolean;

interface FakeValue {
  readonly code: number;
  readonly dims: readonly bigint[];
  readonly data: bigint;
}

/** Functions that hand out a new object but are not called Create. */
const MAKERS: Readonly<Record<string, string>> = {
  GetTensorTypeAndShape: "TensorTypeAndShapeInfo",
  SessionGetInputTypeInfo: "TypeInfo",
  SessionGetOutputTypeInfo: "TypeInfo",
  SessionGetModelMetadata: "ModelMetadata",
};

/** What C calls the objects that each Create function makes, where the name does not say it. */
const KINDS: Readonly<Record<string, string>> = {
  CreateTensorWithDataAsOrtValue: "Value",
  CreateTensorAsOrtValue: "Value",
  CreateCpuMemoryInfo: "MemoryInfo",
  CreateSessionFromArray: "Session",
};

/**
 * ONNX Runtime without ONNX Runtime: a model with one input `x` and one output `y`, both float32 [n],
 * that computes nothing. It checks every call against the table of signatures, counts what is alive,
 * refuses to release an object twice, and fails where it is told to.
 */
export class FakeOrt {
  /** The names of the functions called, in order. */
  readonly calls: string[] = [];
  /** Each call's arguments as text: C strings and arrays of them, in order; the rest is left out. */
  readonly texts: string[][] = [];
  /** Objects that were made and not released, by address. */
  readonly alive = new Map<bigint, string>();
  /** Nonblocking calls wait for it before they do their work. */
  gate: Promise<void> = Promise.resolve();
  readonly #failures = new Map<string, { code: number; message: string }>();
  readonly #statuses = new Map<bigint, { code: number; message: string }>();
  readonly #values = new Map<bigint, FakeValue>();
  readonly #texts: Uint8Array[] = [];
  #last = 0x1000n;
  #asked: FakeValue = { code: 1, dims: [-1n], data: 0n };
  #terminated = false;

  /** The functions, as the bound library would offer them. */
  get library(): Library {
    const entries = ORT_API.map(([name, parameters]) => [
      name,
      (...args: Argument[]) => this.#call(name, parameters, args),
    ]);
    const api = Object.fromEntries(entries) as OrtApi;
    const nonblocking = Object.fromEntries(
      entries.map(([name, call]) => [name, async (...args: Argument[]) => {
        await this.gate;
        return (call as (...args: Argument[]) => unknown)(...args);
      }]),
    ) as OrtApiNonblocking;
    return { path: "fake", version: "1.31.0", api, nonblocking };
  }

  /** Makes a function fail from now on. */
  fail(name: keyof OrtApi, code = 1, message = "told to fail"): void {
    this.#failures.set(name, { code, message });
  }

  /** Lets all functions succeed again. */
  heal(): void {
    this.#failures.clear();
  }

  /** How many objects of each kind are alive, statuses included. */
  get counts(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const kind of this.alive.values()) counts[kind] = (counts[kind] ?? 0) + 1;
    return counts;
  }

  #call(name: string, parameters: readonly string[], args: Argument[]): unknown {
    this.calls.push(name);
    checkArguments(name, parameters, args);
    this.texts.push(args.flatMap(textsIn));
    if (name.startsWith("Release")) return this.#release(name, args[0]);
    const failure = this.#failures.get(name);
    if (failure !== undefined) return this.#status(failure);
    const answer = this.#answer(name, args);
    if (answer !== undefined) return answer;
    const kind = MAKERS[name] ?? KINDS[name] ?? /^Create(\w+)$/.exec(name)?.[1];
    if (kind !== undefined) this.#make(kind, args.at(-1));
    return null;
  }

  /** The functions whose answers matter; undefined leaves it to the rule for makers. */
  #answer(name: string, args: Argument[]): unknown {
    switch (name) {
      case "GetErrorCode":
        return this.#statuses.get(address(args[0]))?.code;
      case "GetErrorMessage":
        return this.#text(this.#statuses.get(address(args[0]))?.message ?? "");
      case "CreateTensorWithDataAsOrtValue":
        return this.#makeValue(args[6], {
          data: address(args[1]),
          dims: [...args[3] as BigInt64Array],
          code: args[5] as number,
        });
      case "CreateTensorAsOrtValue":
        return this.#makeValue(args[4], {
          data: 0n,
          dims: [...args[1] as BigInt64Array],
          code: args[3] as number,
        });
      case "SessionGetInputCount":
      case "SessionGetOutputCount":
        return set(args[1], 1n);
      case "SessionGetInputName":
        return set(args[3], address(this.#text("x")));
      case "SessionGetOutputName":
        return set(args[3], address(this.#text("y")));
      case "GetOnnxTypeFromTypeInfo":
        return set(args[1], 1n);
      case "CastTypeInfoToTensorInfo":
        this.#asked = { code: codeOf("float32" satisfies DType), dims: [-1n], data: 0n };
        return null;
      case "Run":
        return this.#run(args);
      case "RunWithBinding":
        return this.#terminated ? this.#status({ code: 1, message: "terminated" }) : null;
      case "RunOptionsSetTerminate":
        this.#terminated = true;
        return null;
      case "CreateRunOptions":
        this.#terminated = false;
        return undefined;
      default:
        return this.#answerAboutValue(name, args);
    }
  }

  #answerAboutValue(name: string, args: Argument[]): unknown {
    switch (name) {
      case "GetTensorTypeAndShape":
        this.#asked = this.#values.get(address(args[0])) ?? this.#asked;
        return undefined;
      case "GetTensorElementType":
        return set(args[1], BigInt(this.#asked.code));
      case "GetDimensionsCount":
        return set(args[1], BigInt(this.#asked.dims.length));
      case "GetDimensions":
        this.#asked.dims.forEach((size, i) => (args[1] as BigInt64Array)[i] = size);
        return null;
      case "GetTensorMutableData":
        return set(args[1], this.#values.get(address(args[0]))?.data ?? 0n);
      default:
        return undefined;
    }
  }

  /** Gives each output that is not preallocated a new value of the first input's shape. */
  #run(args: Argument[]): Deno.PointerValue {
    if (this.#terminated) return this.#status({ code: 1, message: "terminated" });
    const inputs = args[3] as BigUint64Array<ArrayBuffer>;
    const outputs = args[7] as BigUint64Array<ArrayBuffer>;
    for (const each of [address(args[0]), ...inputs]) {
      if (!this.alive.has(each)) throw new Error(`Run uses what is not alive: ${each}`);
    }
    const first = this.#values.get(inputs[0] ?? 0n) ?? this.#asked;
    outputs.forEach((output, i) => {
      if (output === 0n) this.#makeValue(outputs.subarray(i, i + 1), { ...first, data: 0n });
    });
    return null;
  }

  #makeValue(out: Argument | undefined, value: FakeValue): Deno.PointerValue {
    this.#values.set(this.#make("Value", out), value);
    return null;
  }

  #make(kind: string, out: Argument | undefined): bigint {
    const made = this.#last += 16n;
    this.alive.set(made, kind);
    set(out, made);
    return made;
  }

  #release(name: string, pointer: Argument | undefined): void {
    const kind = this.alive.get(address(pointer));
    if (kind === undefined) throw new Error(`${name} of what is not alive: ${address(pointer)}`);
    if (name !== `Release${kind}`) throw new Error(`${name} of a ${kind}`);
    this.alive.delete(address(pointer));
  }

  #status(failure: { code: number; message: string }): Deno.PointerValue {
    const made = this.#make("Status", new BigUint64Array(1));
    this.#statuses.set(made, failure);
    return Deno.UnsafePointer.create(made);
  }

  #text(text: string): Deno.PointerValue {
    const bytes = new TextEncoder().encode(text + "\0");
    this.#texts.push(bytes);
    return Deno.UnsafePointer.of(bytes);
  }
}

/** Deno itself would refuse these; the fake does it in its place. */
function checkArguments(name: string, parameters: readonly string[], args: Argument[]): void {
  const fits = parameters.length === args.length && parameters.every((parameter, i) => {
    const arg = args[i];
    switch (parameter) {
      case "pointer":
        return arg === null || (typeof arg === "object" && !ArrayBuffer.isView(arg));
      case "buffer":
        return arg === null || ArrayBuffer.isView(arg);
      case "bool":
        return typeof arg === "boolean";
      default:
        return typeof arg === "number" || typeof arg === "bigint";
    }
  });
  if (!fits) throw new TypeError(`${name}(${parameters}) was called with (${args})`);
}

/** The texts in one argument: bytes that end in zero, or an array of pointers to such. */
function textsIn(argument: Argument): string[] {
  if (argument instanceof Uint8Array && argument.at(-1) === 0) {
    return [new TextDecoder().decode(argument.subarray(0, -1))];
  }
  if (!(argument instanceof BigUint64Array) || argument.some((each) => each < 0x10000n)) return [];
  return Array.from(argument, (each) => textAt(Deno.UnsafePointer.create(each)));
}

function address(argument: Argument | undefined): bigint {
  return Deno.UnsafePointer.value((argument ?? null) as Deno.PointerValue);
}

/** Writes through an out-parameter of any width. */
function set(out: Argument | undefined, value: bigint): null {
  if (out instanceof BigUint64Array || out instanceof BigInt64Array) out[0] = value;
  if (out instanceof Int32Array) out[0] = Number(value);
  return null;
}
