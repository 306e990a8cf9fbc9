import { Tensor } from "./tensor.ts";
import type { TensorInfo } from "./tensor_info.ts";

/** One named tensor of a run. */
export type Named = readonly [name: string, tensor: Tensor];

/**
 * Checks the tensors given to a run against the model, before C sees them.
 *
 * @param required the model's inputs; each must be fed.
 * @param optional the initializers that a feed may replace.
 * @throws {TypeError} for a missing or unknown name, a wrong dtype, or what is no tensor.
 * @throws {RangeError} for a wrong shape.
 */
export function checkFeeds(
  required: readonly TensorInfo[],
  optional: readonly TensorInfo[],
  feeds: Readonly<Record<string, Tensor>>,
): Named[] {
  const given = Object.entries(feeds);
  const missing = required.filter(({ name }) => !Object.hasOwn(feeds, name));
  if (missing.length > 0) {
    throw new TypeError(
      `Cannot run the model: inputs are missing: ${names(missing)}; got ${
        given.map(([name]) => name).join(", ") || "none"
      }, expected ${names(required)}. Add them to the feeds.`,
    );
  }
  const all = optional.length === 0 ? required : [...required, ...optional];
  for (const [name, tensor] of given) checkTensor("input", all, name, tensor);
  return given;
}

/**
 * Checks the preallocated outputs of a run: known names, right types, and no memory shared with an input
 * or with one another, because operators run in no promised order.
 *
 * @throws {TypeError} for an unknown name, a wrong dtype, or shared memory.
 * @throws {RangeError} for a wrong shape.
 */
export function checkInto(
  outputs: readonly TensorInfo[],
  into: Readonly<Record<string, Tensor>>,
  feeds: readonly Named[],
): void {
  const targets = Object.entries(into);
  targets.forEach(([name, tensor], index) => {
    checkTensor("output", outputs, name, tensor);
    const clash = [...feeds, ...targets.slice(0, index)].find(([, each]) => tensor.overlaps(each));
    if (clash !== undefined) {
      throw new TypeError(
        `Cannot write the output ${name}: it shares memory with ${
          clash[0]
        }, and the order of writing is undefined. Use two buffers in turn.`,
      );
    }
  });
}

/**
 * Checks the names of the outputs asked for.
 * @throws {TypeError} for an unknown name, or for none at all.
 */
export function checkOutputs(outputs: readonly TensorInfo[], asked: readonly string[]): void {
  const unknown = asked.filter((name) => !outputs.some((each) => each.name === name));
  if (unknown.length === 0 && asked.length > 0) return;
  throw new TypeError(
    `Cannot run the model: ${
      unknown.length > 0 ? `it has no output ${unknown.join(", ")}` : "no output was asked for"
    }; expected some of ${names(outputs)}.`,
  );
}

/** Checks one tensor against what the model says about its name. */
export function checkTensor(
  side: "input" | "output",
  infos: readonly TensorInfo[],
  name: string,
  tensor: Tensor,
): void {
  const info = infos.find((each) => each.name === name);
  if (info === undefined) {
    throw new TypeError(
      `Cannot run the model: it has no ${side} ${name}; expected ${names(infos)}.`,
    );
  }
  if (!(tensor instanceof Tensor)) {
    throw new TypeError(
      `Cannot use the ${side} ${name}: it is no Tensor; got ${typeof tensor}. Make it with Tensor.from.`,
    );
  }
  if (tensor.dtype !== info.dtype) {
    throw new TypeError(
      `Cannot use the ${side} ${name}: its dtype is wrong; got ${tensor.dtype}, expected ${info.dtype}.`,
    );
  }
  // Rank 0 may also mean that the model gives no shape at all; ONNX Runtime itself knows which.
  const fits = info.shape.length === 0 || tensor.shape.length === info.shape.length &&
      info.shape.every((size, i) => typeof size === "string" || size === tensor.shape[i]);
  if (!fits) {
    throw new RangeError(
      `Cannot use the ${side} ${name}: its shape is wrong; got [${tensor.shape}], ` +
        `expected [${info.shape}].`,
    );
  }
}

function names(infos: readonly TensorInfo[]): string {
  return infos.map(({ name }) => name).join(", ");
}
