import { cstring, pointerIn, pointersAt, textAt } from "./memory.ts";
import type { Native } from "./native.ts";

/** What a model file says about itself. */
export interface ModelMetadata {
  /** The program that wrote it. */
  readonly producer: string;
  /** The graph's name. */
  readonly graph: string;
  /** The namespace of the model's author. */
  readonly domain: string;
  /** The model's documentation. */
  readonly description: string;
  /** The model's own version. */
  readonly version: number;
  /** The model's `metadata_props`. */
  readonly custom: Readonly<Record<string, string>>;
}

/** Reads the metadata of a session's model. */
export function readMetadata(native: Native, session: Deno.PointerObject): ModelMetadata {
  using handle = native.own(
    "ModelMetadata",
    native.pointer("SessionGetModelMetadata", session),
    "ReleaseModelMetadata",
  );
  const { allocator } = native, { pointer } = handle;
  return {
    producer: native.text("ModelMetadataGetProducerName", pointer, allocator),
    graph: native.text("ModelMetadataGetGraphName", pointer, allocator),
    domain: native.text("ModelMetadataGetDomain", pointer, allocator),
    description: native.text("ModelMetadataGetDescription", pointer, allocator),
    version: native.number("ModelMetadataGetVersion", pointer),
    custom: readCustom(native, pointer),
  };
}

function readCustom(native: Native, metadata: Deno.PointerObject): Record<string, string> {
  const out = new BigUint64Array(1);
  const count = native.number(
    "ModelMetadataGetCustomMetadataMapKeys",
    metadata,
    native.allocator,
    out,
  );
  const array = pointerIn(out);
  const keys = pointersAt(array, count);
  try {
    return Object.fromEntries(
      keys.map(textAt).map((key) => [
        key,
        native.text(
          "ModelMetadataLookupCustomMetadataMap",
          metadata,
          native.allocator,
          cstring(key),
        ),
      ]),
    );
  } finally {
    for (const key of keys) native.call("AllocatorFree", native.allocator, key);
    if (array !== null) native.call("AllocatorFree", native.allocator, array);
  }
}
