/**
 * `latent explain analytic-derivatives`: a graph, and the graph of its slopes.
 *
 * @module
 */

import { grad } from "../graph/grad.ts";
import { silu } from "../graph/ops/activation.ts";
import { mul, pow } from "../graph/ops/arithmetic.ts";
import { exp, log, sin, sqrt, tanh } from "../graph/ops/elementwise.ts";
import { matMul } from "../graph/ops/linalg.ts";
import { reduceSum } from "../graph/ops/reduce.ts";
import { reachable } from "../graph/reachable.ts";
import { input, type OpNode, type Value } from "../graph/value.ts";
import { unet } from "../models/unet.ts";
import { decoderGraph } from "../models/autoencoder_graphs.ts";
import { TorchCpuGenerator } from "../schedulers/random/torch_cpu.ts";
import { Computation, type Feeds } from "../training/computation.ts";
import { inputName } from "../training/training_step.ts";
import { elementCount } from "../weights/stored_tensor.ts";
import { timedRun } from "./measure.ts";
import { atMost, type Report } from "./report.ts";
import type { Laboratory, Topic } from "./topic.ts";
import { weightFeeds } from "./weight_feeds.ts";

/** Functions of one number with their slopes as one learns them. */
const RULES: readonly {
  readonly name: string;
  readonly slope: string;
  readonly f: (x: Value) => Value;
  readonly df: (x: number) => number;
}[] = [
  { name: "x³", slope: "3 x²", f: (x) => mul(x, mul(x, x)), df: (x) => 3 * x * x },
  { name: "sin x", slope: "cos x", f: sin, df: Math.cos },
  { name: "exp x", slope: "exp x", f: exp, df: Math.exp },
  { name: "log x", slope: "1 / x", f: log, df: (x) => 1 / x },
  { name: "√x", slope: "1 / (2 √x)", f: sqrt, df: (x) => 0.5 / Math.sqrt(x) },
  { name: "tanh x", slope: "1 − tanh² x", f: tanh, df: (x) => 1 - Math.tanh(x) ** 2 },
  { name: "x^2.5", slope: "2.5 x^1.5", f: (x) => pow(x, 2.5), df: (x) => 2.5 * x ** 1.5 },
  {
    name: "x · σ(x)",
    slope: "σ(x) (1 + x (1 − σ(x)))",
    f: silu,
    df: (x) => {
      const s = 1 / (1 + Math.exp(-x));
      return s * (1 + x * (1 - s));
    },
  },
];
const AT = [0.3, 0.7, 1.1, 1.9];

async function run(laboratory: Laboratory): Promise<Report> {
  const { builder, progress } = laboratory;
  progress("rules");
  const rules = await Promise.all(RULES.map(async ({ name, slope, f, df }) => {
    const x = input("x", "float32", [AT.length]), [g] = grad(reduceSum(f(x)), [x]);
    using computation = await Computation.build(builder, { g: g! });
    const found = (await computation.run({ x: Float32Array.from(AT) })).g;
    const error = Math.max(...AT.map((at, i) => Math.abs(found[i]! / df(at) - 1)));
    return { name, slope, error };
  }));
  progress("the slope of the slope");
  const second = await secondDerivative(laboratory);
  const small = smallNetwork(), [slopes] = grad(small.loss, [small.weight]);
  const networks = [];
  for (const network of await bothNetworks(laboratory)) {
    progress(`${network.name}, forward and backward`);
    networks.push(await measure(laboratory, network));
  }
  return {
    topic: "analytic-derivatives",
    title: "Derivatives by calculation",
    summary: "A network is a list of simple operations, and each has a rule that says how its " +
      "result follows its inputs. Going through the list from the end to the beginning, and " +
      "multiplying, gives the slope of the result by every number at once. The way back is a " +
      "list of operations itself: here it is a second graph, which can be looked at, run, and " +
      "differentiated again.",
    blocks: [
      {
        kind: "table",
        caption: `Rules, run at x = ${AT.join(", ")}, against what is known`,
        columns: ["function", "slope", "largest relative error"],
        rows: rules.map(({ name, slope, error }) => [name, slope, error]),
      },
      {
        kind: "table",
        caption: "A small graph: L = Σ silu(x W)",
        columns: ["operation", "takes", "gives"],
        rows: listed(reachable([small.loss])),
      },
      {
        kind: "table",
        caption: "and the graph of ∂L/∂W, made from it; what lies in grad is the way back",
        columns: ["operation", "takes", "gives", "where"],
        rows: listed(reachable([slopes!]), true),
      },
      {
        kind: "table",
        caption: "Whole networks: operations and time, and with the slopes of all inputs",
        columns: ["network", "operations", "with slopes", "seconds", "with slopes "],
        rows: networks.map((n) => [n.name, n.nodes, n.backNodes, n.seconds, n.backSeconds]),
      },
    ],
    claims: [
      atMost(
        "Each rule is right (largest relative error)",
        Math.max(...rules.map((r) => r.error)),
        1e-4,
      ),
      atMost("The second derivative of x³ is 6 x (largest error)", second, 1e-4),
      atMost(
        "The way back is no more than a few times as long (operations, of the forward ones)",
        Math.max(...networks.map((n) => n.backNodes / n.nodes)),
        6,
      ),
      atMost(
        "and gives all slopes in the time of a few runs (times)",
        Math.max(...networks.map((n) => n.backSeconds / n.seconds)),
        20,
      ),
    ],
    formulas: [{
      text: "x̄ = Σ over uses y of x:  (∂y/∂x)ᵀ ȳ,   beginning with L̄ = 1",
      symbols: { "x̄": "slope of the end L by x, of x's own shape" },
      file: "graph/grad.ts",
      symbol: "grad",
    }],
    papers: [
      "Rumelhart, Hinton, Williams 1986, Learning Representations by Back-Propagating Errors",
      "Baydin et al. 2015, Automatic Differentiation in Machine Learning: a Survey, arXiv:1502.05767",
    ],
  };
}

/** L = sum of silu(x W): a layer. */
function smallNetwork(): { weight: Value; loss: Value } {
  const x = input("x", "float32", [2, 3]), weight = input("W", "float32", [3, 4]);
  return { weight, loss: reduceSum(silu(matMul(x, weight))) };
}

async function secondDerivative({ builder }: Laboratory): Promise<number> {
  const x = input("x", "float32", [AT.length]);
  const [first] = grad(reduceSum(mul(x, mul(x, x))), [x]);
  const [second] = grad(reduceSum(first!), [x]);
  using computation = await Computation.build(builder, { second: second! });
  const found = (await computation.run({ x: Float32Array.from(AT) })).second;
  return Math.max(...AT.map((at, i) => Math.abs(found[i]! - 6 * at)));
}

/** Operations as rows: what each takes and gives. */
function listed(nodes: readonly OpNode[], withPlace = false): string[][] {
  const shape = (value: Value | undefined) => value ? `[${value.shape.join(",")}]` : "-";
  return nodes.map(({ op, inputs, outputs, scope }) => [
    op.type,
    inputs.map(shape).join(" "),
    outputs.map(shape).join(" "),
    ...(withPlace ? [scope.includes("grad") ? "grad" : ""] : []),
  ]);
}

/** A network with an end to differentiate. */
interface Differentiable {
  readonly name: string;
  readonly end: Value;
  readonly inputs: readonly Value[];
  readonly weights: Feeds;
}

async function bothNetworks({ parts }: Laboratory): Promise<Differentiable[]> {
  const side = (parts.unet.config.sampleSize ?? 64) / 2, options = { parameter: () => true };
  const size = { batch: 1, height: side, width: side };
  const decoder = decoderGraph(parts.vae.config, parts.vae.weights, size, options);
  const net = unet(parts.unet.config, parts.unet.weights, { ...size, sequence: 8 }, options);
  const sum = (value: Value) => reduceSum(mul(value, value));
  const given = (inputs: readonly Value[], parameters: readonly Value[]) =>
    inputs.filter((value) => !parameters.includes(value));
  return [
    {
      name: "decoder",
      end: sum(decoder.outputs.image!),
      inputs: given(decoder.inputs, decoder.parameters),
      weights: await weightFeeds(parts.vae.weights),
    },
    {
      name: "U-Net",
      end: sum(net.outputs.noise_prediction!),
      inputs: given(net.inputs, net.parameters),
      weights: await weightFeeds(parts.unet.weights),
    },
  ];
}

async function measure(
  { builder }: Laboratory,
  { name, end, inputs, weights }: Differentiable,
) {
  const random = new TorchCpuGenerator(1);
  const feeds: Record<string, Feeds[string]> = { ...weights };
  for (const value of inputs) {
    const size = elementCount(value.shape as number[]);
    feeds[inputName(value)] = inputName(value) === "timestep"
      ? Float32Array.of(500)
      : random.normal(size);
  }
  const slopes = grad(end, inputs);
  const both: Record<string, Value> = { end };
  slopes.forEach((slope, i) => both[`slope ${i}`] = slope);
  const time = async (outputs: Record<string, Value>) => {
    using computation = await Computation.build(builder, outputs);
    return (await timedRun(computation, feeds)).seconds;
  };
  return {
    name,
    nodes: reachable([end]).length,
    backNodes: reachable([end, ...slopes]).length,
    seconds: await time({ end }),
    backSeconds: await time(both),
  };
}

/** A graph, and the graph of its slopes. */
export const analyticDerivatives: Topic = { run };
