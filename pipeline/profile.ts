/**
 * Where the time of a network goes, by operator: from the traces that ONNX Runtime writes of sessions
 * that are opened with `profile`.
 *
 * @module
 */

import { basename, dirname, join } from "node:path";

/** Nodes of one type in one network. */
export interface OperatorProfile {
  /** ONNX's name, such as `Conv`. */
  readonly operator: string;
  /** How many ran. */
  readonly nodes: number;
  /** Sum over the nodes; of each the quickest run counts. */
  readonly ms: number;
  /** Part of the network's time, 0 to 1. */
  readonly share: number;
  /** Multiplications and additions, in 1e9; absent where an operator's are not counted. */
  readonly gflop?: number;
}

/** One network of a case. */
export interface NetworkProfile {
  /** `unet`, `vae_decoder`, ... */
  readonly network: string;
  /** Runs that were seen, without the first one. */
  readonly runs: number;
  /** Of all operators. */
  readonly ms: number;
  /** The longest first. */
  readonly operators: readonly OperatorProfile[];
}

type Shapes = readonly Readonly<Record<string, readonly number[]>>[];

/** What is used of an event of the trace (chrome://tracing). */
interface Event {
  readonly cat: string;
  readonly name: string;
  /** Start and length in microseconds. */
  readonly ts: number;
  readonly dur: number;
  readonly args?: {
    readonly op_name?: string;
    readonly input_type_shape?: Shapes;
    readonly output_type_shape?: Shapes;
  };
}

/** Reads the traces that begin with `prefix`, of sessions that were released. */
export async function readProfiles(prefix: string): Promise<NetworkProfile[]> {
  const folder = dirname(prefix), start = `${basename(prefix)}_`, found: NetworkProfile[] = [];
  for await (const { name } of Deno.readDir(folder)) {
    const network = name.startsWith(start) &&
      /^(.+?)_\d{4}-\d\d-\d\d_.*\.json$/.exec(name.slice(start.length))?.[1];
    if (network) found.push(profileOf(network, await Deno.readTextFile(join(folder, name))));
  }
  return found.filter(({ runs }) => runs > 0).sort((a, b) => b.ms - a.ms);
}

/** Sums a trace by operator. The first run, which also prepares memory, does not count. */
export function profileOf(network: string, trace: string): NetworkProfile {
  const events = JSON.parse(trace) as Event[];
  const [, ...runs] = events.filter(({ name }) => name === "model_run");
  const from = runs[0]?.ts ?? Infinity, nodes = new Map<string, Event>();
  for (const event of events) {
    const isNode = event.cat === "Node" && event.name.endsWith("_kernel_time") && event.ts >= from;
    if (isNode && event.dur < (nodes.get(event.name)?.dur ?? Infinity)) {
      nodes.set(event.name, event);
    }
  }
  const ms = [...nodes.values()].reduce((sum, { dur }) => sum + dur / 1000, 0);
  const groups = Map.groupBy(nodes.values(), ({ args }) => args?.op_name ?? "");
  const operators = Array.from(groups, ([operator, group]): OperatorProfile => {
    const own = group.reduce((sum, { dur }) => sum + dur / 1000, 0);
    const flops = group.reduce((sum, { args }) => sum + flopsOf(operator, args), 0);
    const counted = flops > 0 ? { gflop: flops / 1e9 } : {};
    return { operator, nodes: group.length, ms: own, share: own / ms, ...counted };
  });
  return { network, runs: runs.length, ms, operators: operators.sort((a, b) => b.ms - a.ms) };
}

/**
 * Multiplications and additions of a node; 0 where nobody counted them. Of weights that were packed
 * the trace has no shape.
 */
function flopsOf(operator: string, args: Event["args"]): number {
  const [a, b] = shapesOf(args?.input_type_shape), [out] = shapesOf(args?.output_type_shape);
  if (!a || !out) return 0;
  const perPlace = (b ?? []).slice(1).reduce((x, y) => x * y, b ? 1 : 0);
  switch (operator) {
    case "Conv":
    case "FusedConv":
      return 2 * sizeOf(out) * perPlace;
    case "ConvTranspose":
      return 2 * sizeOf(a) * perPlace;
    case "MatMul":
    case "Gemm":
    case "FusedMatMul":
    case "FusedGemm":
    case "MatMulInteger":
    case "MatMulIntegerToFloat":
    case "MatMulNBits":
      return 2 * sizeOf(a) * out.at(-1)!; // every element of the left meets every column
    case "MultiHeadAttention": // scores, and the values that they weigh
      return 4 * sizeOf(a) * (b?.[1] ?? 0);
    default:
      return 0;
  }
}

function shapesOf(shapes: Shapes = []): (readonly number[])[] {
  return shapes.map((shape) => Object.values(shape)[0]!);
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}
