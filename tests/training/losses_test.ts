import { constant, grad, input, mul, type Value } from "../../graph/mod.ts";
import {
  contrastiveLoss,
  crossEntropy,
  gaussianKl,
  meanAbsoluteError,
  meanSquaredError,
  perceptualLoss,
} from "../../training/losses.ts";
import { mixed, noiseLoss, noisyBatch, snrWeight } from "../../training/noise_loss.ts";
import { noiseTable } from "../../schedulers/noise_table.ts";
import { LIBRARY_DEFAULTS } from "../../schedulers/settings.ts";
import { runGraph } from "../graph/run_graph.ts";
import { assertClose } from "./close.ts";
import { GOLDEN } from "./golden.ts";

const LOSSES: Record<string, (x: Record<string, Value>, labels: readonly number[]) => Value> = {
  mse: ({ a, b }) => meanSquaredError(a!, b!),
  l1: ({ a, b }) => meanAbsoluteError(a!, b!),
  cross_entropy: ({ a }, labels) => crossEntropy(a!, constant(BigInt64Array.from(labels, BigInt))),
  contrastive: ({ a, b, scale }) => contrastiveLoss(a!, b!, scale!),
  kl: ({ mean, logvar }) => gaussianKl(mean!, logvar!),
  perceptual: ({ a, b }) => perceptualLoss((picture) => [picture], a!, b!),
};

for (const [name, build] of Object.entries(LOSSES)) {
  Deno.test(`${name} loss and its gradients equal torch's`, () => {
    const golden = GOLDEN.losses[name]!;
    const inputs = Object.entries(golden.inputs);
    const values = Object.fromEntries(
      inputs.map(([key, { shape }]) => [key, input(key, "float32", shape)]),
    );
    const loss = build(values, golden.labels ?? []);
    const gradients = grad(loss, Object.values(values));
    const outputs = Object.fromEntries(inputs.map(([key], i) => [`d/${key}`, gradients[i]!]));
    const feeds = inputs.map(([key, { shape, data }]) =>
      [values[key]!, { shape, data: Float32Array.from(data) }] as const
    );
    const results = runGraph({ loss, ...outputs }, feeds);
    assertClose(results.loss!.data, [golden.loss], 1e-5, "loss");
    for (const [key] of inputs) {
      assertClose(results[`d/${key}`]!.data, golden.gradients[key]!, 1e-5, `gradient of ${key}`);
    }
  });
}

Deno.test("snrWeight equals min-SNR weights of the diffusers training scripts", () => {
  const table = noiseTable({
    ...LIBRARY_DEFAULTS,
    betaSchedule: "scaled_linear",
    betaStart: 0.00085,
    betaEnd: 0.012,
  }, false);
  const { timesteps, ...expected } = GOLDEN.min_snr;
  for (const prediction of ["epsilon", "v_prediction"] as const) {
    const weights = timesteps.map((t) => snrWeight(table, t, prediction, 5));
    assertClose(weights, expected[prediction], 1e-5, prediction);
  }
});

Deno.test("noiseLoss is zero for what each prediction should say, and the mix is what it says", () => {
  const batch = noisyBatch([2, 1, 1, 2]);
  const says = {
    epsilon: [1, -1, 0.5, 2],
    // 0.8 noise - 0.6 latents; noise - latents
    v_prediction: [0.8 - 0.6 * 2, -0.8 - 0.6 * 3, 0.4 + 0.6 * 4, 1.6],
    sample: [2, 3, -4, 0],
    flow_prediction: [-1, -4, 4.5, 2],
  } as const;
  const outputs = Object.fromEntries(
    Object.entries(says).flatMap(([prediction, data]) => {
      const said = constant(Float32Array.from(data), [2, 1, 1, 2]);
      const kind = prediction as keyof typeof says;
      return [
        [prediction, noiseLoss(said, batch, kind)],
        [`off ${prediction}`, noiseLoss(mul(said, 0), batch, kind)],
      ];
    }),
  );
  const feed = (data: number[], shape = [2]) => ({ data: Float32Array.from(data), shape });
  const results = runGraph({ ...outputs, mix: mixed(batch) }, [
    [batch.latents, feed([2, 3, -4, 0], [2, 1, 1, 2])],
    [batch.noise, feed([1, -1, 0.5, 2], [2, 1, 1, 2])],
    [batch.signal, feed([0.8, 0.8])],
    [batch.sigma, feed([0.6, 0.6])],
    [batch.weight, feed([1, 3])],
  ]);
  for (const [prediction, data] of Object.entries(says)) {
    assertClose(results[prediction]!.data, [0], 1e-12, prediction);
    const [a, b, c, d] = data.map((x) => x * x) as [number, number, number, number];
    const weighted = ((a + b) / 2 + 3 * (c + d) / 2) / 2;
    assertClose(results[`off ${prediction}`]!.data, [weighted], 1e-6, `off ${prediction}`);
  }
  assertClose(results.mix!.data, [2.2, 1.8, -2.9, 1.2], 1e-6, "mix");
});
