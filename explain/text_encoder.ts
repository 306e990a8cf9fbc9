/**
 * `latent explain text-encoder`: what the U-Net is told of a prompt.
 *
 * @module
 */

import { cosine, rmsDistance, rows } from "./measure.ts";
import { atLeast, atMost, type Report } from "./report.ts";
import type { Laboratory, Topic } from "./topic.ts";

const DIGITS = [
  "a red seven on a blue background",
  "a red 7 on a blue background",
  "a blue background with a red seven",
  "a red three on a blue background",
  "a green seven on a blue background",
  "a green three on a yellow background",
  "a white zero on a black background",
];
const SCENES = [
  "a lighthouse at dawn",
  "a lighthouse at sunrise",
  "a light tower by the sea, early morning",
  "a lighthouse at night",
  "a cat on a sofa",
  "a kitten on a couch",
  "a bowl of soup",
];

async function run(laboratory: Laboratory): Promise<Report> {
  const { sd, parts, prompt, isEmbedded } = laboratory;
  const prompts = isEmbedded ? DIGITS : SCENES, { tokenizer } = parts.textEncoders[0]!;
  const state = async (text: string) => {
    const { hiddenStates, width } = await sd.encode(text, { promptSyntax: "plain" });
    const end = tokenizer.encode(text).eosIndex;
    return { width, all: hiddenStates, end: hiddenStates.subarray(end * width, (end + 1) * width) };
  };
  const states = await Promise.all(prompts.map(state)), asked = await state(prompt);
  // The average says "this is a prompt"; what is left says which.
  const mean = asked.end.map((_, i) =>
    states.reduce((s, { end }) => s + end[i]!, 0) / states.length
  );
  const centered = states.map(({ end }) => end.map((v, i) => v - mean[i]!));
  const values = centered.map((a) => centered.map((b) => cosine(a, b)));
  const nearest = prompts.map((text, i) => ({ text, cosine: cosine(states[i]!.end, asked.end) }))
    .sort((a, b) => b.cosine - a.cosine);
  const causal = await changedStates(laboratory, [prompts[0]!, prompts[3]!], state);
  return {
    topic: "text-encoder",
    title: "Text encoder",
    summary: "The text encoder, half of CLIP, turns a prompt's tokens into as many vectors. Each " +
      "has seen all tokens before it and none after it; the one at the end of the text has seen " +
      "everything and can stand for the whole. Prompts that mean nearly the same get vectors in " +
      "nearly the same direction, however they are worded. The U-Net looks at all of them.",
    blocks: [
      {
        kind: "heatmap",
        caption: "Cosines between prompts, after their average is taken away",
        rows: prompts,
        columns: prompts.map((_, i) => String(i + 1)),
        values,
      },
      {
        kind: "table",
        caption: `Nearest to "${prompt}"`,
        columns: ["cosine", "prompt"],
        rows: nearest.map(({ text, cosine }) => [cosine, text]),
      },
      {
        kind: "plot",
        caption: `One word changed: "${prompts[0]}" against "${causal.other}"`,
        mark: "bar",
        x: { label: "place of the token" },
        y: { label: "root mean square change of its vector" },
        series: [{ name: "change", points: causal.changes.map((v, i) => [i, v] as const) }],
      },
    ],
    claims: [
      atLeast(
        "Other words for the same are nearer than another thing (difference of cosines)",
        values[0]![1]! - values[0]![3]!,
        0.05,
      ),
      atMost(
        "Vectors before the changed word stay as they were (largest change)",
        Math.max(...causal.changes.slice(0, causal.at)),
        1e-5,
      ),
      atLeast(
        "and all from it on change (smallest change)",
        Math.min(...causal.changes.slice(causal.at)),
        1e-4,
      ),
    ],
    formulas: [{
      text: "h ← h + Attention(norm(h)),  h ← h + MLP(norm(h));  Attention sees j ≤ i only",
      symbols: { "h": "a vector for each token", "i, j": "places in the text" },
      file: "models/clip_text.ts",
      symbol: "clipTextModel",
    }],
    papers: [
      "Radford et al. 2021, Learning Transferable Visual Models, arXiv:2103.00020",
      "Vaswani et al. 2017, Attention Is All You Need, arXiv:1706.03762",
    ],
  };
}

/** How far each token's vector moves when one word is another; `at` is that word's place. */
async function changedStates(
  { parts }: Laboratory,
  [text, other]: readonly [string, string],
  state: (text: string) => Promise<{ all: Float32Array; width: number }>,
): Promise<{ other: string; at: number; changes: number[] }> {
  const { tokenizer } = parts.textEncoders[0]!, a = tokenizer.encode(text);
  const at = a.ids.findIndex((id, i) => id !== tokenizer.encode(other).ids[i]);
  const from = await state(text), to = rows((await state(other)).all, from.width);
  const changes = rows(from.all, from.width).slice(0, a.eosIndex + 1)
    .map((vector, i) => rmsDistance(vector, to[i]!));
  return { other, at, changes };
}

/** What the U-Net is told of a prompt. */
export const textEncoder: Topic = { run };
