/** The weights and constants of a written graph. */
import { dtypeCode } from "./dtype.ts";
import { externalPlace, rootOf } from "./external_data.ts";
import { constantName, type NameTable } from "./names.ts";
import { DataLocation, type MessageInitShape, type TensorProtoSchema } from "./protobuf.ts";
import type { InitializerSource, TensorType, Value } from "./value.ts";
import { type Weight, weightBehind } from "./weight_views.ts";

type TensorInit = MessageInitShape<typeof TensorProtoSchema>;

/** A weight that must be supplied from memory when the session is built (AddInitializer). */
export interface ExternalInitializer {
  /** Its name in the model. */
  readonly name: string;
  /** The type to supply it in. */
  readonly type: TensorType;
  /** Where its bytes are; convert from `storedAs` where that is given. */
  readonly source: InitializerSource;
}

/** Collects tensors, equal ones once. */
export class TensorTable {
  /** What the model holds or refers to. */
  readonly tensors: TensorInit[] = [];
  /** What it leaves to the session builder. */
  readonly supplied: ExternalInitializer[] = [];
  readonly #names: NameTable;
  readonly #written = new Map<string, string>();
  readonly #inlineBytes: number;
  #root: string | undefined;

  /** `root`: the folder of external data, by default that of the first file; `inlineBytes`: see OnnxOptions. */
  constructor(names: NameTable, root: string | undefined, inlineBytes: number) {
    this.#names = names;
    this.#root = root;
    this.#inlineBytes = inlineBytes;
  }

  /** The folder that external data is relative to; undefined where there is none. */
  get externalRoot(): string | undefined {
    return this.tensors.some((tensor) => tensor.externalData) ? this.#root : undefined;
  }

  /** Writes a constant, or a weight or a view of one; returns the tensor's name. */
  add(value: Value): string {
    const { node } = value;
    if (node.kind === "constant") {
      return this.#write(value.type, value.name ?? constantName(value, node.data), node, Infinity);
    }
    const { name, source } = weightBehind(value) as Weight;
    const shaped = node.kind === "initializer" ? name : `${name}:${value.shape.join("x")}`;
    return this.#write(value.type, shaped, source, this.#inlineBytes);
  }

  #write(type: TensorType, name: string, source: InitializerSource, inline: number): string {
    const key = contentKey(type, source);
    const equal = key && this.#written.get(key);
    if (equal) return equal;
    const written = this.#names.unique(name);
    if (key) this.#written.set(key, written);
    this.tensors.push(this.#tensor(written, type, source, inline));
    return written;
  }

  #tensor(name: string, type: TensorType, source: InitializerSource, inline: number): TensorInit {
    const head = {
      name,
      dataType: dtypeCode(type.dtype),
      dims: type.shape.map((dim) => BigInt(dim)),
    };
    if ("data" in source && source.data.byteLength <= inline) {
      return { ...head, rawData: source.data as Uint8Array<ArrayBuffer> };
    }
    const external = { ...head, dataLocation: DataLocation.EXTERNAL };
    if ("data" in source || source.storedAs !== undefined) {
      this.supplied.push({ name, type, source });
      // ONNX Runtime only looks whether the place exists; a folder cannot be read by mistake.
      return { ...external, externalData: [{ key: "location", value: "." }] };
    }
    this.#root ??= rootOf(source.file);
    return { ...external, externalData: externalPlace(this.#root, source) };
  }
}

/** Equal for tensors of equal content; undefined for large ones in memory, which are not compared. */
function contentKey(type: TensorType, source: InitializerSource): string | undefined {
  const kind = `${type.dtype}[${type.shape}]`;
  if ("file" in source) {
    return `${kind}${source.storedAs ?? ""}@${source.offset}:${source.file}`;
  }
  return source.data.byteLength <= 4096 ? `${kind}${source.data}` : undefined;
}
