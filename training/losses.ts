/** Losses as graph functions: each returns a scalar to make small. */
import { add, mul, sub } from "../graph/ops/arithmetic.ts";
import { abs, exp, neg } from "../graph/ops/elementwise.ts";
import { gatherElements } from "../graph/ops/indexing.ts";
import { matMul } from "../graph/ops/linalg.ts";
import { transpose, unsqueeze } from "../graph/ops/movement.ts";
import { unitLength } from "../graph/ops/normalization.ts";
import { logSoftmax, reduceMean, reduceSum } from "../graph/ops/reduce.ts";
import { fixed, sameShape, ShapeError } from "../graph/shape.ts";
import { constant, type Value } from "../graph/value.ts";

/** The mean of squared differences. Throws ShapeError when the shapes differ. */
export function meanSquaredError(prediction: Value, target: Value): Value {
  requireSameShape("meanSquaredError", prediction, target);
  return reduceMean(square(sub(prediction, target)));
}

/** The mean of absolute differences. Throws ShapeError when the shapes differ. */
export function meanAbsoluteError(prediction: Value, target: Value): Value {
  requireSameShape("meanAbsoluteError", prediction, target);
  return reduceMean(abs(sub(prediction, target)));
}

/** The mean of -log softmax(logits)[label]: `logits` [B, classes], `labels` int64 [B]. */
export function crossEntropy(logits: Value, labels: Value): Value {
  const chosen = gatherElements(logSoftmax(logits, 1), unsqueeze(labels, [1]), 1);
  return neg(reduceMean(chosen));
}

/**
 * CLIP's symmetric contrastive loss (Radford et al. 2021, arXiv:2103.00020, figure 3): row i of
 * `a` [B, D] belongs to row i of `b` [B, D] and to no other. `logScale` is a scalar, the logarithm
 * of what multiplies the cosines; `mask` [B, B] is added to the logits: far below zero where a pair
 * that is not a row's own is no wrong one either.
 */
export function contrastiveLoss(a: Value, b: Value, logScale: Value, mask?: Value): Value {
  requireSameShape("contrastiveLoss", a, b);
  const cosines = matMul(unitLength(a, 1), transpose(unitLength(b, 1), [1, 0]));
  const scaled = mul(cosines, exp(logScale)), logits = mask ? add(scaled, mask) : scaled;
  const size = fixed("contrastiveLoss", a.shape, 0);
  const own = constant(
    Float32Array.from({ length: size * size }, (_, i) => Number(i % (size + 1) === 0)),
    [size, size],
  );
  const matched = add(logSoftmax(logits, 0), logSoftmax(logits, 1));
  return mul(reduceSum(mul(matched, own)), -1 / (2 * size));
}

/**
 * How far the posterior N(mean, exp(logvar)) of an autoencoder is from N(0, 1): the
 * Kullback-Leibler divergence, summed over everything but the batch, whose mean it is (Kingma &
 * Welling 2014, arXiv:1312.6114, appendix B).
 */
export function gaussianKl(mean: Value, logvar: Value): Value {
  requireSameShape("gaussianKl", mean, logvar);
  const each = sub(sub(add(square(mean), exp(logvar)), logvar), 1);
  return mul(reduceSum(each), 0.5 / fixed("gaussianKl", mean.shape, 0));
}

/**
 * How different two pictures look to a network (Zhang et al. 2018, arXiv:1801.03924, without
 * its learned weights): squared distance of the feature vectors of each place, scaled to unit
 * length, averaged over places and summed over layers. `features` gives the network's activations
 * [B, C, h, w] for a picture.
 */
export function perceptualLoss(
  features: (picture: Value) => readonly Value[],
  prediction: Value,
  target: Value,
): Value {
  const wanted = features(target);
  const layers = features(prediction).map((layer, i) => {
    const difference = sub(unitLength(layer, 1), unitLength(wanted[i] as Value, 1));
    return reduceMean(reduceSum(square(difference), { axes: [1] }));
  });
  if (layers.length > 0) return layers.reduce((a, b) => add(a, b));
  throw new RangeError("Cannot compare pictures: the network gives no features; expected a layer.");
}

/** The loss of each example, its mean over all but the batch: [B]. */
export function squaredErrorByExample(prediction: Value, target: Value): Value {
  requireSameShape("squaredErrorByExample", prediction, target);
  const axes = Array.from({ length: prediction.shape.length - 1 }, (_, i) => i + 1);
  return reduceMean(square(sub(prediction, target)), { axes });
}

/** Squares without `pow`, whose derivative takes a logarithm. */
export function square(x: Value): Value {
  return mul(x, x);
}

function requireSameShape(op: string, a: Value, b: Value): void {
  if (sameShape(a.shape, b.shape)) return;
  throw new ShapeError(op, [a.shape, b.shape], "both must have one shape.");
}
