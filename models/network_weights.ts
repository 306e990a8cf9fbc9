import type { DType } from "../graph/dtype.ts";
import { castAfter } from "../graph/late_weight.ts";
import { cast } from "../graph/ops/elementwise.ts";
import type { Value } from "../graph/value.ts";
import { initializer, input } from "../graph/value.ts";
import { type Phase, phaseName } from "../weights/doubled_kernels.ts";
import { ModelFormatError } from "../weights/model_format_error.ts";
import { quantizedNames, type WeightBits } from "../weights/quantize.ts";
import { WINOGRAD_PLACES, winogradName } from "../weights/winograd.ts";
import type { StoredDType, StoredTensor, TensorSource } from "../weights/stored_tensor.ts";
import type { ModelOptions } from "./graph_model.ts";
import { FLOATING, HALVES, initializerSource } from "./initializer_source.ts";
import { findTensor, isIgnoredTensor, spellings } from "./spellings.ts";

/** A layer's weight in fewer bits, and their scales: see weights/quantize.ts. */
export interface QuantizedWeight {
  readonly bits: WeightBits;
  readonly weight: Value;
  readonly scale: Value;
}

/** Element types of what is in fewer bits. */
const QUANTIZED: Partial<Record<StoredDType, DType>> = { I8: "int8", U8: "uint8", F32: "float32" };

/** What all parts of one network share. */
interface Network {
  /** For messages: "the U-Net". */
  readonly title: string;
  readonly source: TensorSource;
  readonly options: ModelOptions;
  readonly dtype: "float32" | "float16";
  readonly bound: Map<string, Value>;
  /** Names in the file that have been read. */
  readonly read: Set<string>;
  readonly parameters: Value[];
  /** What the last layer gave. */
  latest?: Value;
}

/**
 * The weights of one network, or of the part of it under a prefix: makes a checkpoint's tensors
 * initializers of the graph, after checking that they are there and have the shape that the config
 * implies. Bytes stay in the file; a file in another precision is converted at session creation.
 */
export class NetworkWeights {
  readonly #network: Network;
  /** Prefix of the names, without the final dot; "" for the whole network. */
  readonly path: string;
  /** The last step of the path, for scopes. */
  readonly label: string;

  private constructor(network: Network, path: string, label: string) {
    this.#network = network;
    this.path = path;
    this.label = label;
  }

  /** The weights of a whole network; `title` names it in messages, with its article. */
  static of(title: string, source: TensorSource, options: ModelOptions = {}): NetworkWeights {
    const dtype = options.dtype ?? "float32";
    const network = {
      title,
      source,
      options,
      dtype,
      bound: new Map(),
      read: new Set<string>(),
      parameters: [],
    };
    return new NetworkWeights(network, "", title);
  }

  /** The part of the network under `step`: `at("resnets.0")`. */
  at(step: string): NetworkWeights {
    const path = this.path === "" ? step : `${this.path}.${step}`;
    return new NetworkWeights(this.#network, path, step);
  }

  /** The shape that the file has for a tensor; [0] where it has none, which taking it then says. */
  shapeOf(name: string): readonly number[] {
    return this.#find(this.#fullName(name))?.shape ?? [0];
  }

  /** Element type of the network's weights and activations. */
  get dtype(): "float32" | "float16" {
    return this.#network.dtype;
  }

  /** How the network is built. */
  get options(): ModelOptions {
    return this.#network.options;
  }

  /** The weights that became inputs so far. */
  get parameters(): readonly Value[] {
    return this.#network.parameters;
  }

  /** Whether the file holds `name` under this prefix. */
  has(name: string): boolean {
    return this.#find(this.#fullName(name)) !== undefined;
  }

  /**
   * The tensor `name` under this prefix as a weight of exactly `shape`; a 1x1 convolution and a
   * matrix are the same bytes and stand in for each other. The same name gives the same Value.
   * Throws ModelFormatError when it is missing or has another shape or another type.
   */
  tensor(name: string, shape: readonly number[]): Value {
    const { bound, options, dtype, parameters } = this.#network;
    const full = this.#fullName(name);
    const known = bound.get(full);
    if (known !== undefined) return known;
    const stored = this.#require(full, shape);
    let value: Value;
    if (options.parameter?.(full)) {
      const parameter = input(full, "float32", shape);
      parameters.push(parameter);
      value = cast(parameter, dtype);
    } else {
      value = initializer(full, dtype, shape, initializerSource(stored, dtype));
    }
    bound.set(full, value);
    return value;
  }

  /**
   * The layer's `weight` for its input `x`. Where weights are converted late, after whatever was made
   * last: the time and the prompt are there from the start, and would let all of them in at once.
   */
  layerWeight(shape: readonly number[], x: Value): Value {
    const full = this.#fullName("weight"), { options, dtype, latest } = this.#network;
    if (!options.lateWeights || options.parameter?.(full)) return this.tensor("weight", shape);
    const { dtype: stored, location, scale } = this.#require(full, shape);
    const type = HALVES[stored];
    if (type === undefined || scale !== undefined || !("file" in location)) {
      return this.tensor("weight", shape);
    }
    const isNewer = latest !== undefined && serialOf(latest) > serialOf(x);
    return castAfter(initializer(full, type, shape, location), isNewer ? latest : x, dtype);
  }

  /** Takes what a layer gave. */
  layerGave(y: Value): Value {
    return this.#network.latest = y;
  }

  /** The layer's `weight`, or its kernels of a phase, in fewer bits, where the source has it so. */
  quantized(phase?: Phase): QuantizedWeight | undefined {
    const { source, read } = this.#network;
    for (const name of spellings(this.#fullName("weight"))) {
      for (const bits of [8, 4] as const) {
        const names = quantizedNames(phase ? phaseName(name, phase) : name, bits);
        const weight = source.get(names.values), scale = source.get(names.scale);
        if (!weight || !scale) continue;
        read.add(name);
        return { bits, weight: quantizedInitializer(weight), scale: quantizedInitializer(scale) };
      }
    }
    return undefined;
  }

  /**
   * The layer's 3x3 kernels [outputs, inputs, 3, 3] as `winogradConv` takes them; undefined where the
   * source does not have them so, or where training changes the weight.
   */
  winogradKernels(shape: readonly number[]): Value | undefined {
    const full = this.#fullName("weight"), { bound, options, source, dtype } = this.#network;
    if (options.parameter?.(full)) return undefined;
    const stored = spellings(full).map((name) => source.get(winogradName(name))).find(Boolean);
    if (stored === undefined) return undefined;
    this.#require(full, shape);
    const known = bound.get(stored.name);
    if (known !== undefined) return known;
    const kernels = initializer(
      stored.name,
      dtype,
      [WINOGRAD_PLACES, shape[0]!, shape[1]!],
      initializerSource(stored, dtype),
    );
    bound.set(stored.name, kernels);
    return kernels;
  }

  /**
   * Names of the file that no part of the network has read, except known leftovers and those that
   * `elsewhere` knows to belong to another graph.
   */
  unexpected(elsewhere: (name: string) => boolean = () => false): string[] {
    const { source, read } = this.#network;
    return [...source.names()].filter((name) =>
      !read.has(name) && !isIgnoredTensor(name) && !elsewhere(name)
    );
  }

  #fullName(name: string): string {
    return this.path === "" ? name : `${this.path}.${name}`;
  }

  #find(full: string): StoredTensor | undefined {
    return findTensor(this.#network.source, full);
  }

  #require(full: string, shape: readonly number[]): StoredTensor {
    const { title, source, read } = this.#network;
    const fail = (why: string) =>
      new ModelFormatError(
        `Cannot build ${title} from ${source.path}: ${why}. ` +
          "Check that the config belongs to these weights.",
        { path: source.path, key: full },
      );
    const tensor = this.#find(full);
    if (tensor === undefined) throw fail(`tensor ${full} is missing; expected shape [${shape}]`);
    if (!sameMatrix(tensor.shape, shape)) {
      throw fail(
        `tensor ${tensor.name} has another shape; got [${tensor.shape}], ` +
          `expected [${shape}]`,
      );
    }
    if (FLOATING[tensor.dtype] === undefined) {
      throw fail(
        `tensor ${tensor.name} has a type that is not used for weights; got ${tensor.dtype}, ` +
          `expected one of ${Object.keys(FLOATING).join(", ")}`,
      );
    }
    read.add(tensor.name);
    return tensor;
  }
}

/** When a value was made; inputs and weights are there from the start. */
function serialOf({ node }: Value): number {
  return node.kind === "op" ? node.serial : -1;
}

function quantizedInitializer({ name, dtype, shape, location }: StoredTensor): Value {
  return initializer(name, QUANTIZED[dtype]!, shape, location);
}

/** Equal shapes, apart from the trailing ones of a 1x1 convolution. */
function sameMatrix(a: readonly number[], b: readonly number[]): boolean {
  const bare = (shape: readonly number[]) =>
    shape.length === 4 && shape[2] === 1 && shape[3] === 1 ? shape.slice(0, 2) : shape;
  return bare(a).join() === bare(b).join();
}
