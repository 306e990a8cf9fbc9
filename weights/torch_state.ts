import { PickleError } from "./pickle_reader.ts";
import { PickleGlobal } from "./pickle.ts";
import { TorchTensor } from "./torch_objects.ts";

/** Far beyond any checkpoint, and soon enough for one that repeats itself exponentially. */
const MAX_VALUES = 200_000;
const MAX_DEPTH = 32;

/**
 * The tensors of what a checkpoint holds, by name: those of its `state_dict` if it has one, with
 * nested names joined by dots (`string_to_param.*`). Numbers and text become metadata.
 * Throws PickleError when there is no dict, two tensors get one name, or it never ends.
 */
export function flattenState(
  root: unknown,
): { tensors: Map<string, TorchTensor>; metadata: Record<string, string> } {
  const tensors = new Map<string, TorchTensor>();
  const metadata: Record<string, string> = {};
  if (!(root instanceof Map)) throw new PickleError("it does not hold a dict of tensors");
  let visited = 0;
  const visit = (value: unknown, path: readonly string[]) => {
    if (++visited > MAX_VALUES || path.length > MAX_DEPTH) {
      throw new PickleError("its dicts hold one another without end");
    }
    const name = path.join(".");
    if (value instanceof TorchTensor) {
      if (tensors.has(name)) throw new PickleError(`two of its tensors are named ${name}`);
      tensors.set(name, value);
    } else if (value instanceof Map) {
      for (const [key, inner] of value) visit(inner, [...path, keyText(key)]);
    } else if (Array.isArray(value)) {
      value.forEach((inner, i) => visit(inner, [...path, `${i}`]));
    } else if (["string", "number", "bigint", "boolean"].includes(typeof value)) {
      metadata[name] = String(value);
    }
  };
  const state: unknown = root.get("state_dict");
  if (state instanceof Map) {
    for (const [key, value] of root) if (!isContainer(value)) visit(value, [keyText(key)]);
    visit(state, []);
  } else visit(root, []);
  return { tensors, metadata };
}

/** Beside a `state_dict` lie optimizer states, callbacks and schedules: not the model's weights. */
function isContainer(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}

/** Keys are text, numbers, or the classes of Lightning's callbacks. */
function keyText(key: unknown): string {
  if (typeof key === "string" || typeof key === "number" || key instanceof PickleGlobal) {
    return String(key);
  }
  throw new PickleError("a dict's key is neither text nor a number");
}
