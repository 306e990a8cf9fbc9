/**
 * `latent explain interpolate`: the way between two noises.
 *
 * @module
 */

import { slerp } from "../schedulers/random/mix.ts";
import { moments } from "./measure.ts";
import { atLeast, atMost, type Report } from "./report.ts";
import type { Laboratory, Topic } from "./topic.ts";

const FRAMES = 5;

async function run(laboratory: Laboratory): Promise<Report> {
  const { sd, prompt, seed } = laboratory;
  const base = { prompt, steps: 15, scheduler: "DPM++ 2M" };
  const from = sd.startingNoise(sd.settings({ ...base, seed })).data;
  const to = sd.startingNoise(sd.settings({ ...base, seed: BigInt(seed) + 1n })).data;
  const ways = {
    spherical: (t: number) => slerp(from, to, t),
    linear: (t: number) => from.map((value, i) => (1 - t) * value + t * to[i]!),
  };
  const spread: Record<string, [number, number][]> = {}, pictures = [];
  for (const [name, at] of Object.entries(ways)) {
    spread[name] = [];
    for (let i = 0; i < FRAMES; i++) {
      const t = i / (FRAMES - 1), noise = Float32Array.from(at(t));
      laboratory.progress(`${name}, ${t}`);
      spread[name]!.push([t, moments(noise).deviation]);
      pictures.push({
        label: `${name}, t ${t}`,
        image: await sd.generate({ ...base, seed, noise }),
      });
    }
  }
  const middle = (name: string) => spread[name]![(FRAMES - 1) / 2]![1];
  return {
    topic: "interpolate",
    title: "Between two noises",
    summary:
      "A film from one picture to another is made by mixing what they began in. Noise of many " +
      "numbers lies on a sphere: all of it has nearly the same length. The straight line between " +
      "two noises cuts through the inside of the sphere, where no noise ever is, and the U-Net " +
      "draws something pale and flat there; the arc along the sphere does not.",
    blocks: [
      { kind: "pictures", caption: `"${prompt}" on both ways`, pictures, columns: FRAMES },
      {
        kind: "plot",
        caption: "Spread of the noise on both ways",
        x: { label: "t" },
        y: { label: "standard deviation" },
        series: Object.entries(spread).map(([name, points]) => ({ name, points })),
      },
    ],
    claims: [
      atMost(
        "On the arc the middle has spread 1 (distance)",
        Math.abs(middle("spherical") - 1),
        0.1,
      ),
      atMost("On the line it has about 1 / √2", Math.abs(middle("linear") - Math.SQRT1_2), 0.1),
      atLeast(
        "The arc keeps more of it than the line (ratio)",
        middle("spherical") / middle("linear"),
        1.2,
      ),
    ],
    formulas: [{
      text: "slerp(a, b, t) = sin((1 − t) ω)/sin ω · a + sin(t ω)/sin ω · b",
      symbols: { "ω": "angle between the noises a and b", "t": "0 at a, 1 at b" },
      file: "schedulers/random/mix.ts",
      symbol: "slerp",
    }],
    papers: ["Shoemake 1985, Animating Rotation with Quaternion Curves"],
  };
}

/** The way between two noises. */
export const interpolation: Topic = { run };
