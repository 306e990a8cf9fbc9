/**
 * All topics by name, loaded when asked for.
 *
 * @module
 */

import type { Topic } from "./topic.ts";

/** A topic that is not loaded yet. */
export interface TopicEntry {
  /** One line for the list. */
  readonly about: string;
  /** Whether it may be of a file. */
  readonly takesFile?: true;
  readonly load: () => Promise<Topic>;
}

/** The course, in the order in which it is best read. */
export const TOPICS: Readonly<Record<string, TopicEntry>> = {
  pipeline: {
    about: "the way from a prompt to a picture, stage by stage",
    load: async () => (await import("./pipeline.ts")).pipeline,
  },
  tokenizer: {
    about: "from text to numbers",
    load: async () => (await import("./tokenizer.ts")).tokenizer,
  },
  "text-encoder": {
    about: "what the U-Net is told of a prompt",
    load: async () => (await import("./text_encoder.ts")).textEncoder,
  },
  contrastive: {
    about: "how CLIP learns which text belongs to which picture",
    load: async () => (await import("./contrastive.ts")).contrastive,
  },
  "image-encoder": {
    about: "what CLIP sees in a picture",
    load: async () => (await import("./image_encoder.ts")).imageEncoder,
  },
  autoencoder: {
    about: "a picture in few numbers, and back",
    load: async () => (await import("./autoencoder.ts")).autoencoder,
  },
  latents: {
    about: "what the U-Net works on",
    load: async () => (await import("./latents.ts")).latents,
  },
  noise: {
    about: "adding it, and knowing it when seen",
    load: async () => (await import("./noise.ts")).noise,
  },
  unet: {
    about: "where the network looks, and what its shortcuts carry",
    load: async () => (await import("./unet.ts")).unet,
  },
  schedulers: {
    about: "noise tables, and solvers as rows of weights",
    load: async () => (await import("./schedulers.ts")).schedulers,
  },
  guidance: {
    about: "what the guidance scale does",
    load: async () => (await import("./guidance.ts")).guidance,
  },
  "negative-prompt": {
    about: "drawing away from words",
    load: async () => (await import("./negative_prompt.ts")).negativePrompt,
  },
  img2img: {
    about: "beginning in a picture",
    load: async () => (await import("./img2img.ts")).img2img,
  },
  inpaint: {
    about: "painting a part anew",
    load: async () => (await import("./inpaint.ts")).inpaint,
  },
  interpolate: {
    about: "the way between two noises",
    load: async () => (await import("./interpolate.ts")).interpolation,
  },
  "finite-differences": {
    about: "slopes by trying, beside slopes by calculation",
    load: async () => (await import("./finite_differences.ts")).finiteDifferences,
  },
  "analytic-derivatives": {
    about: "a graph, and the graph of its slopes",
    load: async () => (await import("./analytic_derivatives.ts")).analyticDerivatives,
  },
  digits: {
    about: "following a slope from noise, and where it leads",
    load: async () => (await import("./digits.ts")).digits,
  },
  optimizers: {
    about: "samplers beside methods that look for a minimum",
    load: async () => (await import("./optimizers.ts")).optimizers,
  },
  "optimizers-for-training": {
    about: "ways down a loss",
    load: async () => (await import("./optimizers_for_training.ts")).optimizersForTraining,
  },
  "perceptual-loss": {
    about: "how different pictures are, and how different they look",
    load: async () => (await import("./perceptual_loss.ts")).perceptualLoss,
  },
  "textual-inversion": {
    about: "a new word, learned here and now",
    load: async () => (await import("./textual_inversion.ts")).textualInversion,
  },
  dreambooth: {
    about: "the whole U-Net, taught a few pictures",
    load: async () => (await import("./dreambooth.ts")).dreambooth,
  },
  model: {
    about: "what a file of weights is: model FILE",
    takesFile: true,
    load: async () => (await import("./model.ts")).model,
  },
  image: {
    about: "how a picture was made, and its way back to noise: image FILE",
    takesFile: true,
    load: async () => (await import("./image.ts")).image,
  },
  gpu: {
    about: "which devices there are, and what they would do",
    load: async () => (await import("./gpu.ts")).gpu,
  },
};
