import { basename, dirname, join } from "node:path";
import { ModelFormatError } from "./model_format_error.ts";
import { openFile } from "./open_file.ts";
import { tensorSource } from "./stored_tensor.ts";
import type { StoredTensor, TensorSource } from "./stored_tensor.ts";

/** No index comes near: SDXL's has 180 KB. */
const MAX_INDEX_BYTES = 64 << 20;

/**
 * Opens the files that a `*.safetensors.index.json` (or `*.bin.index.json`) names, with `openShard`,
 * as one source. Throws ModelFormatError when a shard or a tensor that the index promises is absent.
 */
export async function openSharded(
  indexPath: string,
  openShard: (path: string) => Promise<TensorSource>,
): Promise<TensorSource> {
  const { weightMap, metadata } = await readIndex(indexPath);
  const shards = new Map<string, TensorSource>();
  for (const file of new Set(weightMap.values())) {
    // Beside the index as it was named: in the Hugging Face cache its real folder holds only blobs.
    shards.set(file, await openShard(join(dirname(indexPath), file)));
  }
  const tensors: StoredTensor[] = [];
  for (const [name, file] of weightMap) {
    const tensor = shards.get(file)!.get(name);
    if (tensor === undefined) {
      throw new ModelFormatError(
        `Cannot open ${indexPath}: tensor ${name} is not in ${file}, where the index says it is. ` +
          "Download the index and all its shards again.",
        { path: indexPath, key: name },
      );
    }
    tensors.push(tensor);
  }
  return tensorSource(indexPath, tensors, metadata);
}

async function readIndex(path: string) {
  using file = await openFile(path);
  const fail = (why: string, key?: string, cause?: unknown) =>
    new ModelFormatError(`Cannot read the index ${path}: ${why}.`, { path, key, cause });
  if (file.size > MAX_INDEX_BYTES) throw fail(`it is too long; got ${file.size} bytes`);
  let index: unknown;
  try {
    index = JSON.parse(new TextDecoder().decode(await file.read(0, file.size)));
  } catch (cause) {
    throw fail("it is not JSON", undefined, cause);
  }
  const { weight_map: map, metadata = {} } = Object(index) as Record<string, unknown>;
  if (typeof map !== "object" || map === null || Array.isArray(map)) {
    throw fail("it has no weight_map object", "weight_map");
  }
  const weightMap = new Map<string, string>();
  for (const [name, shard] of Object.entries(map)) {
    if (!isPlainFileName(shard)) {
      throw fail(`${JSON.stringify(shard)} is not the name of a file beside it`, name);
    }
    weightMap.set(name, shard);
  }
  return { weightMap, metadata: asText(Object(metadata)) };
}

function isPlainFileName(name: unknown): name is string {
  return typeof name === "string" && name !== "" && name !== "." && name !== ".." &&
    basename(name) === name && !/[\\/\0:]/.test(name);
}

/** The index's metadata holds numbers (total_size), that of a source is text. */
function asText(metadata: Record<string, unknown>): Record<string, string> {
  const text = (value: unknown) => typeof value === "string" ? value : JSON.stringify(value);
  return Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, text(value)]));
}
