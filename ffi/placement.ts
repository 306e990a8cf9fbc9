import { pointerIn, pointersAt, textAt } from "./memory.ts";
import type { Native } from "./native.ts";

/** An operator of the model and the provider that runs it. */
export interface PlacedNode {
  /** The provider's name. */
  readonly provider: string;
  /** The node's name in the model. */
  readonly name: string;
  /** The operator's type, such as `Conv`. */
  readonly operator: string;
  /** The operator's domain; empty for ONNX's own. */
  readonly domain: string;
}

/** The config entry without which ONNX Runtime does not remember the placement. */
export const RECORD_PLACEMENT = "session.record_ep_graph_assignment_info";

/**
 * Lists which provider runs which operator.
 * @throws {LibraryVersionError} before ONNX Runtime 1.25.
 * @throws {OrtError} if the session was created without `recordPlacement`.
 */
export function readPlacement(native: Native, session: Deno.PointerObject): PlacedNode[] {
  const out = new BigUint64Array(1);
  const count = native.number("Session_GetEpGraphAssignmentInfo", session, out);
  return pointersAt(pointerIn(out), count).flatMap((part) => {
    const provider = textAt(native.pointer("EpAssignedSubgraph_GetEpName", part));
    const size = native.number("EpAssignedSubgraph_GetNodes", part, out);
    return pointersAt(pointerIn(out), size).map((node) => ({
      provider,
      name: textAt(native.pointer("EpAssignedNode_GetName", node)),
      operator: textAt(native.pointer("EpAssignedNode_GetOperatorType", node)),
      domain: textAt(native.pointer("EpAssignedNode_GetDomain", node)),
    }));
  });
}
