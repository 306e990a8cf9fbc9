/**
 * Where a session's time goes, from the trace that ONNX Runtime writes.
 *
 * @module
 */

import { table } from "./table.ts";

/** What is used of an event in the trace (chrome://tracing). */
interface Event {
  readonly cat: string;
  readonly name: string;
  /** Start and length in microseconds. */
  readonly ts: number;
  readonly dur: number;
  readonly args: {
    readonly op_name?: string;
    readonly input_type_shape?: readonly Readonly<Record<string, readonly number[]>>[];
  };
}

/** Time of nodes that have something in common. */
interface Share {
  count: number;
  ms: number;
}

/** How many groups of equal nodes are listed. */
const SLOWEST = 30;

/**
 * Two tables: by operator, and the slowest groups of equal nodes. Of each node the quickest of all
 * runs but the first counts: on a machine that does other work too, that is what it costs.
 */
export function profileTables(network: string, trace: string): string {
  const events = JSON.parse(trace) as Event[];
  const [, ...runs] = events.filter(({ name }) => name === "model_run");
  const nodes = quickest(
    events.filter(({ cat, name, ts }) =>
      cat === "Node" && name.endsWith("_kernel_time") && ts >= runs[0]!.ts
    ),
  );
  const whole = nodes.reduce((sum, { dur }) => sum + dur / 1000, 0);
  const shortest = Math.min(...runs.map(({ dur }) => dur / 1000));
  const row = ([key, { count, ms }]: readonly [string, Share]) => [
    key,
    String(count),
    ms.toFixed(1),
    (100 * ms / whole).toFixed(1),
  ];
  const header = (title: string) => [title, "nodes", "ms", "%"];
  const byOperator = shares(nodes, ({ args }) => args.op_name!);
  const byShape = shares(nodes, ({ args }) => `${args.op_name} ${shapes(args)}`);
  return [
    `### ${network}: ${whole.toFixed(0)} ms in ${nodes.length} nodes, each at its quickest; the ` +
    `quickest of ${runs.length} runs took ${shortest.toFixed(0)} ms`,
    "",
    table(header("operator"), byOperator.map(row)),
    table(header("operator and inputs"), byShape.slice(0, SLOWEST).map(row)),
  ].join("\n");
}

/** The shortest event of each node. */
function quickest(events: readonly Event[]): Event[] {
  const nodes = new Map<string, Event>();
  for (const event of events) {
    const known = nodes.get(event.name);
    if (known === undefined || event.dur < known.dur) nodes.set(event.name, event);
  }
  return [...nodes.values()];
}

/** Sums by key, the longest first. */
function shares(nodes: readonly Event[], key: (node: Event) => string): [string, Share][] {
  const sums = new Map<string, Share>();
  for (const node of nodes) {
    const name = key(node);
    const share = sums.get(name) ?? { count: 0, ms: 0 };
    share.count++;
    share.ms += node.dur / 1000;
    sums.set(name, share);
  }
  return [...sums].sort(([, a], [, b]) => b.ms - a.ms);
}

/** `2x320x64x64, 320x320x3x3` */
function shapes({ input_type_shape = [] }: Event["args"]): string {
  return input_type_shape.map((input) => Object.values(input)[0]!.join("x")).join(", ");
}
