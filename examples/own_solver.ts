/**
 * A sampler of one's own: what it plans is a row of weights for each call of the network.
 *
 *     deno run -A examples/own_solver.ts seven.png [MODEL]
 */
import { type Solver, StableDiffusion } from "../mod.ts";

/** Adams and Bashforth's two-step method: the noise seen now, less a half of that seen before. */
const twoStep: Solver = {
  name: "two-step",
  basis: "epsilon",
  calls: (levels) =>
    levels.slice(0, -1).map((level, i) => {
      const move = levels[i + 1]!.noise - level.noise;
      const results = i === 0 ? [move] : [1.5 * move, -0.5 * move];
      return { level, next: { start: 1, results }, advance: true };
    }),
};

const [file = "own_solver.png", model] = Deno.args;
await using sd = await StableDiffusion.open(model);
const prompt = "a red seven on a blue background";
const image = await sd.generate({ prompt, seed: 1, steps: 10, scheduler: twoStep });
await image.save(file);
