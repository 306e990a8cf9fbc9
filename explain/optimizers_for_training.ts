/**
 * `latent explain optimizers-for-training`: ways down a loss.
 *
 * @module
 */

import { add } from "../graph/ops/arithmetic.ts";
import { sin, tanh } from "../graph/ops/elementwise.ts";
import { matMul } from "../graph/ops/linalg.ts";
import { constant, input, type Value } from "../graph/value.ts";
import { Image } from "../pipeline/image.ts";
import { TorchCpuGenerator } from "../schedulers/random/torch_cpu.ts";
import { Computation } from "../training/computation.ts";
import { meanSquaredError } from "../training/losses.ts";
import {
  adam,
  adamw,
  lion,
  momentum,
  type Optimizer,
  rmsprop,
  sgd,
} from "../training/optimizers.ts";
import { Trainer } from "../training/trainer.ts";
import { trainingStep } from "../training/training_step.ts";
import { draw } from "./measure.ts";
import { atLeast, atMost, type Report } from "./report.ts";
import type { Laboratory, Topic } from "./topic.ts";

const UPDATES = 120, WIDTH = 48, SIDE = 32;
/** Each with a rate that suits it. */
const OPTIMIZERS: readonly { readonly optimizer: Optimizer; readonly rate: number }[] = [
  { optimizer: sgd(), rate: 0.1 },
  { optimizer: momentum(), rate: 0.05 },
  { optimizer: rmsprop(), rate: 0.003 },
  { optimizer: adam(), rate: 0.01 },
  { optimizer: adamw(), rate: 0.01 },
  { optimizer: lion(), rate: 0.001 },
];

/** What came of one training. */
interface Learned {
  readonly losses: readonly number[];
  readonly image: Image;
}

async function run(laboratory: Laboratory): Promise<Report> {
  laboratory.progress("the picture to learn");
  const picture = (await draw(laboratory, { guidanceScale: 5 })).resize(SIDE, SIDE, "bilinear");
  const results: (Learned & { name: string; rate: number })[] = [];
  for (const { optimizer, rate } of OPTIMIZERS) {
    laboratory.progress(optimizer.name);
    results.push({
      name: optimizer.name,
      rate,
      ...await learn(laboratory, picture, optimizer, rate),
    });
  }
  const end = (name: string) => results.find((r) => r.name === name)!.losses.at(-1)!;
  const best = Math.min(...results.map(({ losses }) => losses.at(-1)!));
  return {
    topic: "optimizers-for-training",
    title: "Optimizers",
    summary: "Training is walking down a slope: change every weight a little in the direction in " +
      "which the loss falls. Plain descent takes steps as long as the slope is steep; momentum " +
      "keeps going where it has been going; Adam and its kin give every weight a step of its own " +
      "length, by how its slope has been. Here a small network learns one picture: from where a " +
      "pixel is to its colour.",
    blocks: [
      {
        kind: "pictures",
        caption:
          `What a network of ${countOfWeights()} weights has learned after ${UPDATES} updates`,
        pictures: [
          { label: "to be learned", image: enlarged(picture) },
          ...results.map(({ name, image }) => ({ label: name, image: enlarged(image) })),
        ],
      },
      {
        kind: "plot",
        caption: "Loss while learning",
        x: { label: "update" },
        y: { label: "mean squared error", log: true },
        series: results.map(({ name, losses }) => ({
          name,
          points: losses.flatMap((loss, i) => i % 4 === 0 ? [[i, loss] as const] : []),
        })),
      },
      {
        kind: "table",
        caption: "What each remembers, and where it ended",
        columns: ["optimizer", "numbers kept for each weight", "learning rate", "last loss"],
        rows: results.map(({ name, rate, losses }, i) => [
          name,
          OPTIMIZERS[i]!.optimizer.slots.length,
          rate,
          losses.at(-1)!,
        ]),
      },
    ],
    claims: [
      atMost(
        "Every optimizer brings the loss down (last, of first; the worst)",
        Math.max(...results.map(({ losses }) => losses.at(-1)! / losses[0]!)),
        0.7,
      ),
      atMost("Adam ends below plain descent (loss, of that)", end("adam") / end("sgd"), 0.7),
      atLeast(
        "Momentum helps plain descent (its loss, of that with)",
        end("sgd") / end("momentum"),
        1.1,
      ),
      atMost("The best learns the picture (mean squared error)", best, 0.05),
    ],
    formulas: [
      {
        text: "SGD: w ← w − η g;   momentum: v ← β v + g, w ← w − η v",
        symbols: { "g": "slope of the loss by the weight w", "η": "learning rate" },
        file: "training/optimizers.ts",
        symbol: "momentum",
      },
      {
        text: "Adam: m ← β₁ m + (1−β₁) g,  v ← β₂ v + (1−β₂) g²,  w ← w − η m̂ / (√v̂ + ε)",
        symbols: {
          "m, v": "means of the slope and its square",
          "m̂, v̂": "those, less their start at 0",
        },
        file: "training/optimizers.ts",
        symbol: "adam",
      },
    ],
    papers: [
      "Polyak 1964, Some Methods of Speeding up the Convergence of Iteration Methods",
      "Kingma, Ba 2014, Adam, arXiv:1412.6980",
      "Loshchilov, Hutter 2017, Decoupled Weight Decay Regularization, arXiv:1711.05101",
      "Chen et al. 2023, Symbolic Discovery of Optimization Algorithms (Lion), arXiv:2302.06675",
    ],
  };
}

/** Sizes of the network's matrices: waves of the place, two layers, a colour. */
const SHAPES = { waves: [2, WIDTH], first: [WIDTH, WIDTH], bias: [1, WIDTH], last: [WIDTH, 3] };

function countOfWeights(): number {
  return Object.values(SHAPES).reduce((sum, [a, b]) => sum + a! * b!, 0);
}

/** From places [n, 2] to colours [n, 3] in -1..1 (Sitzmann et al. 2020, arXiv:2006.09661). */
function network(places: Value, w: Record<keyof typeof SHAPES, Value>): Value {
  const waves = sin(matMul(places, w.waves));
  return tanh(matMul(sin(add(matMul(waves, w.first), w.bias)), w.last));
}

async function learn(
  { builder }: Laboratory,
  picture: Image,
  optimizer: Optimizer,
  rate: number,
): Promise<Learned> {
  const { width, height } = picture, count = width * height;
  const places = Float32Array.from({ length: 2 * count }, (_, i) => {
    const pixel = i >> 1;
    return 2 * (i % 2 === 0 ? pixel % width : Math.floor(pixel / width)) / width - 1;
  });
  const colours = Float32Array.from(picture.withoutAlpha().data, (v) => v / 127.5 - 1);
  const names = Object.keys(SHAPES) as (keyof typeof SHAPES)[];
  const weights = Object.fromEntries(
    names.map((name) => [name, input(name, "float32", SHAPES[name])]),
  ) as Record<keyof typeof SHAPES, Value>;
  const said = network(constant(places, [count, 2]), weights);
  const step = trainingStep({
    parameters: Object.values(weights),
    loss: meanSquaredError(said, constant(colours, [count, 3])),
    optimizer,
  });
  const random = new TorchCpuGenerator(7);
  const initial = new Map(names.map((name) => {
    const [rows, columns] = SHAPES[name] as [number, number];
    const spread = name === "waves" ? 6 : name === "bias" ? 1 : 1 / Math.sqrt(rows);
    return [name as string, random.normal(rows * columns).map((z) => z * spread)];
  }));
  using trainer = await Trainer.create(builder, step, initial);
  const losses: number[] = [];
  for (let i = 0; i < UPDATES; i++) losses.push((await trainer.step({}, rate)).loss);
  using computation = await Computation.build(builder, { said });
  const feeds = Object.fromEntries(
    names.map((name) => [name, Float32Array.from(trainer.state.get(name)!)]),
  );
  const found = (await computation.run(feeds)).said;
  const pixels = Uint8ClampedArray.from(found, (v) => 127.5 * (v + 1));
  return { losses, image: new Image(width, height, pixels) };
}

function enlarged(image: Image): Image {
  return image.resize(2 * image.width, 2 * image.height, "nearest");
}

/** Ways down a loss. */
export const optimizersForTraining: Topic = { run };
