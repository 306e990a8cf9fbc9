/**
 * Guidance: how predictions for several prompts become one.
 *
 * All functions take the U-Net's outputs as they lie in memory, one image after another, and write
 * their result in place, so that a step allocates nothing. Every operation is rounded to float32 in
 * torch's order; the results equal diffusers' bit for bit. Predictions may be noise, v or clean
 * images: the formulas are linear in them.
 */
const f = Math.fround;

/** Throws a RangeError unless all tensors have as many elements as the first. */
export function assertSameSize(what: string, first: Float32Array, ...rest: Float32Array[]): void {
  for (const other of rest) {
    if (other.length !== first.length) {
      throw new RangeError(
        `Cannot ${what}: predictions differ in size; got ${first.length} and ${other.length} ` +
          `elements. Give the parts of one batch.`,
      );
    }
  }
}

/** Elements of one image; throws a RangeError unless `images` divides the tensor. */
export function imageSize(what: string, tensor: Float32Array, images: number): number {
  const size = tensor.length / images;
  if (!Number.isInteger(size) || size < 1) {
    throw new RangeError(
      `Cannot ${what}: ${tensor.length} elements do not divide into ${images} images.`,
    );
  }
  return size;
}

/**
 * The parts of a batch that ran several prompts at once, as views: `[uncond..., cond...]` for two.
 *
 * `predictions` is `[parts * images, c, h, w]`; throws a RangeError unless `parts` divides it.
 */
export function batchParts(predictions: Float32Array, parts: number): Float32Array[] {
  const size = imageSize("split a batch", predictions, parts);
  return Array.from({ length: parts }, (_, k) => predictions.subarray(k * size, (k + 1) * size));
}

/**
 * Classifier-free guidance: `uncond + scale * (cond - uncond)` (Ho and Salimans,
 * arXiv:2207.12598, in Imagen's form). Scale 1 is the prompt alone, 0 the negative prompt.
 *
 * Writes to `out`, by default over `uncond`, and returns it.
 */
export function classifierFreeGuidance(
  uncond: Float32Array,
  cond: Float32Array,
  scale: number,
  out: Float32Array = uncond,
): Float32Array {
  assertSameSize("guide", uncond, cond, out);
  const s = f(scale);
  for (let i = 0; i < out.length; i++) {
    const base = uncond[i]!;
    out[i] = base + f(s * f(cond[i]! - base));
  }
  return out;
}

/** What InstructPix2Pix predicts in one step. */
export interface EditPredictions {
  /** With the prompt and the picture. */
  readonly text: Float32Array;
  /** With the picture alone. */
  readonly image: Float32Array;
  /** With neither. */
  readonly uncond: Float32Array;
}

/**
 * InstructPix2Pix's two scales: `uncond + scale * (text - image) + imageScale * (image - uncond)`
 * (Brooks et al., arXiv:2211.09800). diffusers' batch order is `[text, image, uncond]`.
 *
 * Writes to `out`, by default over `uncond`, and returns it.
 */
export function editGuidance(
  { text, image, uncond }: EditPredictions,
  scale: number,
  imageScale: number,
  out: Float32Array = uncond,
): Float32Array {
  assertSameSize("guide an edit", uncond, text, image, out);
  const s = f(scale), t = f(imageScale);
  for (let i = 0; i < out.length; i++) {
    const base = uncond[i]!, picture = image[i]!;
    out[i] = f(base + f(s * f(text[i]! - picture))) + f(t * f(picture - base));
  }
  return out;
}

/**
 * Guidance rescale: gives each image of `guided` the standard deviation that `cond` has, as far as
 * `amount` (0 to 1) says (Lin et al., arXiv:2305.08891, section 3.4; 0.7 there).
 *
 * In place; returns `guided`. An image without any deviation stays as it is.
 */
export function rescaleGuidance(
  guided: Float32Array,
  cond: Float32Array,
  amount: number,
  images = 1,
): Float32Array {
  assertSameSize("rescale guidance", guided, cond);
  const size = imageSize("rescale guidance", guided, images);
  const rescaledShare = f(amount), keptShare = f(1 - amount);
  for (let start = 0; start < guided.length; start += size) {
    const end = start + size;
    const deviation = standardDeviation(guided, start, end);
    if (!(deviation > 0)) continue;
    const ratio = f(standardDeviation(cond, start, end) / deviation);
    for (let i = start; i < end; i++) {
      const value = guided[i]!;
      guided[i] = f(rescaledShare * f(value * ratio)) + f(keptShare * value);
    }
  }
  return guided;
}

/** torch.std of a range: unbiased, summed in double precision, rounded to float32. */
function standardDeviation(data: Float32Array, start: number, end: number): number {
  let mean = 0;
  for (let i = start; i < end; i++) mean += data[i]!;
  mean /= end - start;
  let squares = 0;
  for (let i = start; i < end; i++) squares += (data[i]! - mean) ** 2;
  return f(Math.sqrt(squares / (end - start - 1)));
}

/**
 * Whether guidance applies at a step, when it is limited to a part of them (Kynkäänniemi et al.,
 * arXiv:2404.07724): from fraction `start` to before fraction `stop`, as diffusers counts.
 *
 * Outside, use the conditional prediction alone, which also halves the work.
 */
export function guidanceApplies(step: number, steps: number, start = 0, stop = 1): boolean {
  if (!(start >= 0 && start <= stop && stop <= 1)) {
    throw new RangeError(
      `Cannot limit guidance: the interval must lie in 0 ... 1; got ${start} to ${stop}.`,
    );
  }
  return step >= Math.trunc(start * steps) && step < Math.trunc(stop * steps);
}

/**
 * The ordinary guidance scale that makes an Euler or DDIM step a CFG++ step (Chung et al.,
 * arXiv:2406.08070), where `scale` is CFG++'s own, 0 to 1.
 *
 * CFG++ adds noise back along the unconditional prediction: x' = D_guided + r (x - D_uncond) with
 * r = next / sigma. An Euler step is x' = r x + (1 - r) D, so D = D_uncond + scale / (1 - r) *
 * (D_cond - D_uncond) gives the same. Throws a RangeError unless the step goes down.
 */
export function cfgPlusPlusScale(scale: number, sigma: number, nextSigma: number): number {
  if (!(nextSigma >= 0 && nextSigma < sigma)) {
    throw new RangeError(
      `Cannot use CFG++: the noise must fall; got sigma ${sigma}, then ${nextSigma}.`,
    );
  }
  return scale / (1 - nextSigma / sigma);
}
