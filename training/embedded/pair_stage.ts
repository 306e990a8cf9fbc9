/** The CLIP pair's training, and its image half's alone. */
import { openClipPair } from "../../pipeline/clip_pair.ts";
import type { SessionBuilder } from "../../pipeline/session_builder.ts";
import { adamw, type Optimizer } from "../optimizers.ts";
import { Trainer } from "../trainer.ts";
import { trainingStep } from "../training_step.ts";
import type { TrainingEvent } from "../training_run.ts";
import { contrastBatch } from "./contrast_batches.ts";
import { contrastGraph } from "./contrast_graph.ts";
import { flatThenCosine, trainStage } from "./stage.ts";
import { valuesOf, type Workspace } from "./workspace.ts";

/** How a stage is trained. */
export interface StageOptions {
  readonly builder: SessionBuilder;
  readonly steps: number;
  readonly batch: number;
  readonly saveEvery: number;
  readonly signal?: AbortSignal | undefined;
}

/** Trains both halves, or with `textLocked` the image half, and writes them into the model. */
export async function* trainPair(
  workspace: Workspace,
  options: StageOptions & { readonly textLocked: boolean },
): AsyncGenerator<TrainingEvent, void, void> {
  const { builder, steps, batch, saveEvery, signal, textLocked } = options;
  const pair = await openClipPair(await workspace.parts(), undefined);
  const { vision } = pair, text = pair.text!; // `Workspace.begin` wrote both halves.
  const name = textLocked ? "image" : "pair";
  const graph = contrastGraph({ text, vision }, batch, { textLocked });
  const { seed } = workspace, fields = await workspace.fields();
  const step = trainingStep({
    parameters: graph.parameters,
    loss: graph.loss,
    optimizer: decayingMatrices(0.05),
    clipNorm: 1,
  });
  const initial = new Map([
    ...await valuesOf(text.weights),
    ...await valuesOf(vision.weights),
    ["digit_head.weight", new Float32Array(10 * vision.config.projectionDim)],
    ["digit_head.bias", new Float32Array(10)],
  ]);
  using trainer = await Trainer.create(builder, step, initial);
  const source = { fields, tokenizer: text.tokenizer, batch, seed: seed + Number(textLocked) };
  yield* trainStage({
    identity: JSON.stringify({ stage: name, seed, batch }),
    trainer,
    steps,
    rate: flatThenCosine(1e-3, steps, 0.2),
    batch: (step) => contrastBatch(source, step),
    path: workspace.checkpoint(name),
    saveEvery,
    signal,
    write: () => save(workspace, trainer.byParameter("parameter")),
  });
}

/** AdamW whose decay pulls matrices and tables only. */
function decayingMatrices(weightDecay: number): Optimizer {
  const betas = [0.9, 0.98] as const;
  const decaying = adamw({ betas, weightDecay }), plain = adamw({ betas, weightDecay: 0 });
  return {
    ...decaying,
    update: (now, gradient, at) =>
      (now.parameter.shape.length > 1 ? decaying : plain).update(now, gradient, at),
  };
}

async function save(workspace: Workspace, values: Map<string, Float32Array>): Promise<void> {
  await workspace.write("text", values);
  await workspace.write("vision", values);
  await workspace.write("shared", values);
  await workspace.configure("clip/config.json", { logit_scale: values.get("logit_scale")![0] });
}
