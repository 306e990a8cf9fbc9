/**
 * What a distilled LCM U-Net takes as `timestep_cond` in place of guidance: the scale, as waves
 * (arXiv:2310.04378, 4.2, with the embedding of arXiv:2107.00630). `scale` is the guidance scale
 * less one, `dim` the U-Net's `timeCondDim`. Float32Array [dim], sines before cosines.
 */
export function guidanceEmbedding(scale: number, dim: number): Float32Array<ArrayBuffer> {
  if (dim % 2 !== 0 || dim < 4) {
    throw new RangeError(`Cannot embed a guidance scale: the width must be even; got ${dim}.`);
  }
  const half = dim / 2;
  const rate = Math.fround(Math.fround(Math.log(10000)) / (half - 1));
  const embedding = new Float32Array(dim);
  for (let i = 0; i < half; i++) {
    const frequency = Math.fround(Math.exp(Math.fround(-rate * i)));
    const angle = Math.fround(Math.fround(scale * 1000) * frequency);
    embedding[i] = Math.sin(angle);
    embedding[half + i] = Math.cos(angle);
  }
  return embedding;
}
