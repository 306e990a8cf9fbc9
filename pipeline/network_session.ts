/**
 * What the pipeline asks of a network, whether its graph was built here or came as an ONNX file.
 *
 * @module
 */

import type { RunOptions } from "../ffi/session.ts";
import type { Tensor } from "../ffi/tensor.ts";

/** A loaded network under this program's names of inputs and outputs. */
export interface NetworkSession {
  readonly inputs: readonly { readonly name: string }[];
  run(
    feeds: Readonly<Record<string, Tensor>>,
    options?: RunOptions,
  ): Promise<Record<string, Tensor>>;
  readonly disposed: boolean;
  dispose(): void;
}
