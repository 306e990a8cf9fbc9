/**
 * `latent explain perceptual-loss`: how different pictures are, and how different they look.
 *
 * @module
 */

import { reachable } from "../graph/reachable.ts";
import { concat, split } from "../graph/ops/join.ts";
import { input, type Value } from "../graph/value.ts";
import { encoderGraph } from "../models/autoencoder_graphs.ts";
import { Image } from "../pipeline/image.ts";
import { TorchCpuGenerator } from "../schedulers/random/torch_cpu.ts";
import { Computation, type Feeds } from "../training/computation.ts";
import { meanSquaredError, perceptualLoss as perceptual } from "../training/losses.ts";
import { Clip } from "./clip.ts";
import { cosine, draw } from "./measure.ts";
import { atLeast, type Report } from "./report.ts";
import type { Laboratory, Topic } from "./topic.ts";
import { weightFeeds } from "./weight_feeds.ts";

/** A changed picture with its distances from the original. */
interface Row {
  readonly name: string;
  readonly image: Image;
  readonly pixels: number;
  readonly features: number;
  readonly meaning: number;
}

async function run(laboratory: Laboratory): Promise<Report> {
  const { isEmbedded, progress, prompt, seed } = laboratory;
  progress("pictures");
  const original = await draw(laboratory, { guidanceScale: 5 });
  const other = await draw(laboratory, {
    prompt: isEmbedded ? "a bold red three on a blue background" : `${prompt}, at night`,
    guidanceScale: 5,
  });
  const changed: Record<string, Image> = {
    "moved by 2 pixels": moved(original, 2),
    "moved by 4 pixels": moved(original, 4),
    "blurred": blurred(original),
    "noisy": noisy(original, 28, seed),
    "darker by 20": darker(original, 20),
    "something else": other,
  };
  progress("comparing");
  const clip = isEmbedded ? await Clip.open(laboratory) : undefined;
  const vectors = await clip?.pictures([original, ...Object.values(changed)]);
  using losses = await Losses.open(laboratory, original);
  const rows: Row[] = [];
  for (const [i, [name, image]] of Object.entries(changed).entries()) {
    const { pixels, features } = await losses.between(original, image);
    const meaning = vectors ? 1 - cosine(vectors[0]!, vectors[i + 1]!) : NaN;
    rows.push({ name, image, pixels: pixels[0]!, features: features[0]!, meaning });
  }
  const row = (name: string) => rows.find((r) => r.name === name)!;
  const moved4 = row("moved by 4 pixels");
  const else_ = row("something else");
  return {
    topic: "perceptual-loss",
    title: "Perceptual loss",
    summary:
      "Comparing pictures pixel by pixel misses what people see: the same picture a little " +
      "aside counts as very different, a blurred one as nearly equal. A perceptual loss compares " +
      "what a network makes of both pictures, layer by layer. What it finds alike depends on " +
      "what the network was trained for: edges and texture in an autoencoder, meaning in CLIP.",
    blocks: [
      {
        kind: "pictures",
        caption: "A picture and what was done to it",
        pictures: [
          { label: "original", image: original },
          ...rows.map(({ name, image }) => ({ label: name, image })),
        ],
      },
      {
        kind: "table",
        caption: "Distances from the original",
        columns: ["change", "pixels", "autoencoder's features", "CLIP: 1 − cosine"],
        rows: rows.map((r) => [r.name, r.pixels, r.features, r.meaning]),
      },
      {
        kind: "plot",
        caption: "The same, each as a share of its value for another picture altogether",
        mark: "dot",
        x: { label: "change, in the order of the table" },
        y: { label: "distance, of that to something else" },
        series: [
          { name: "pixels", points: rows.map((r, i) => [i + 1, r.pixels / else_.pixels] as const) },
          {
            name: "features",
            points: rows.map((r, i) => [i + 1, r.features / else_.features] as const),
          },
          { name: "CLIP", points: rows.map((r, i) => [i + 1, r.meaning / else_.meaning] as const) },
        ],
      },
    ],
    claims: [
      atLeast(
        "By pixels, a digit moved by 4 is about as far as another digit (share of its distance)",
        moved4.pixels / else_.pixels,
        0.6,
      ),
      ...(vectors
        ? [atLeast(
          "By meaning, another digit is further than the same one moved (times)",
          else_.meaning / moved4.meaning,
          3,
        )]
        : []),
    ],
    formulas: [{
      text: "L(x, y) = Σ over layers l: mean over places |φ̂ₗ(x) − φ̂ₗ(y)|²",
      symbols: { "φ̂ₗ": "activations of layer l at a place, scaled to length one" },
      file: "training/losses.ts",
      symbol: "perceptualLoss",
    }],
    papers: [
      "Johnson, Alahi, Fei-Fei 2016, Perceptual Losses, arXiv:1603.08155",
      "Zhang et al. 2018, The Unreasonable Effectiveness of Deep Features, arXiv:1801.03924",
    ],
  };
}

/** Both losses between two pictures of one size. */
class Losses implements Disposable {
  private constructor(
    readonly computation: Computation<"pixels" | "features">,
    readonly weights: Feeds,
  ) {}

  static async open({ parts, builder }: Laboratory, { width, height }: Image): Promise<Losses> {
    const { config, weights } = parts.vae, { factor } = config;
    const size = { batch: 2, height: height / factor, width: width / factor };
    const [a, b] = ["a", "b"].map((name) => input(name, "float32", [1, 3, height, width]));
    // Both as one batch: a network's weights have their names once in a graph.
    const encoder = encoderGraph(config, weights, size, {
      values: { image: concat([a!, b!], 0) },
      parameter: (name) => name.startsWith("encoder."),
    });
    const layers = blockEnds(encoder.outputs.mean!);
    const features = (picture: Value) =>
      layers.map((layer) => split(layer, 2, 0)[picture === a ? 0 : 1]!);
    const computation = await Computation.build(builder, {
      pixels: meanSquaredError(a!, b!),
      features: perceptual(features, a!, b!),
    });
    return new Losses(computation, await weightFeeds(weights));
  }

  async between(a: Image, b: Image) {
    return await this.computation.run({ ...this.weights, a: a.toTensor(), b: b.toTensor() });
  }

  [Symbol.dispose](): void {
    this.computation[Symbol.dispose]();
  }
}

/** What the residual blocks on the way down give. */
function blockEnds(end: Value): Value[] {
  return reachable([end])
    .filter(({ op, scope }) => op.type === "Add" && /down_blocks\.\d+\/resnets\.\d+$/.test(scope))
    .map(({ outputs }) => outputs[0]!)
    .filter(({ shape }) => shape.length === 4);
}

/** Moved to the right, the left edge repeated. */
function moved({ width, height, data }: Image, by: number): Image {
  const out = new Uint8ClampedArray(data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = 3 * (y * width + Math.max(0, x - by));
      out.set(data.subarray(from, from + 3), 3 * (y * width + x));
    }
  }
  return new Image(width, height, out);
}

function blurred(image: Image): Image {
  const { width, height } = image;
  return image.resize(width / 2, height / 2, "bilinear").resize(width, height, "bilinear");
}

function noisy({ width, height, data }: Image, deviation: number, seed: number | bigint): Image {
  const z = new TorchCpuGenerator(seed).normal(data.length);
  return new Image(width, height, data.map((v, i) => v + deviation * z[i]!));
}

function darker({ width, height, data }: Image, by: number): Image {
  return new Image(width, height, data.map((v) => v - by));
}

/** How different pictures are, and how different they look. */
export const perceptualLoss: Topic = { run };
