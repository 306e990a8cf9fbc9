/**
 * Token merging (Bolya and Hoffman 2023, arXiv:2303.17604): attention over fewer places, where those
 * most alike are one.
 */
import { add, div } from "../graph/ops/arithmetic.ts";
import { gather, scatterElements, scatterND } from "../graph/ops/indexing.ts";
import { concat } from "../graph/ops/join.ts";
import { matMul } from "../graph/ops/linalg.ts";
import { expand, reshape, transpose, unsqueeze } from "../graph/ops/movement.ts";
import { unitLength } from "../graph/ops/normalization.ts";
import { argMax, argTopK, reduceMax, zeros } from "../graph/ops/reduce.ts";
import { scope } from "../graph/scope.ts";
import { fixed } from "../graph/shape.ts";
import { constant, int64s, type Value } from "../graph/value.ts";

/** Between the places of a picture and the fewer tokens that attention sees. */
export interface TokenMerger {
  /** [B, h*w, C] to [B, n, C]: each token the mean of what is merged into it. */
  readonly merge: (x: Value) => Value;
  /** [B, n, C] to [B, h*w, C]: each place gets its token. */
  readonly unmerge: (x: Value) => Value;
}

/** The most that can be merged: all but one place of each square of four. */
export const MOST_MERGED = 0.75;

/**
 * Merges `ratio` of the places of `x` [B, h*w, C] into others. Of each two by two places the first
 * one stays (in the paper a random one: here a picture can be drawn again). Of the rest, those most
 * like one that stays, by the cosine of their vectors, are merged into it.
 */
export function tokenMerger(
  x: Value,
  [height, width]: readonly [number, number],
  ratio: number,
): TokenMerger {
  return scope("token_merging", () => {
    const batch = fixed("tokenMerger", x.shape, 0), channels = fixed("tokenMerger", x.shape, 2);
    const places = height * width;
    const isKept = (i: number) => (i % width) % 2 === 0 && Math.trunc(i / width) % 2 === 0;
    const all = Array.from({ length: places }, (_, i) => i);
    const kept = all.filter(isKept), others = all.filter((i) => !isKept(i));
    const left = others.length - Math.min(Math.floor(places * ratio), others.length);
    const tokens = left + kept.length;

    const unit = unitLength(x);
    const alike = matMul(take(unit, others), transpose(take(unit, kept), [0, 2, 1]));
    // The least alike stay by themselves, as the first tokens.
    const alone = argTopK(reduceMax(alike, { axes: [2] }), left, { axis: 1, largest: false });
    const numbers = expand(int64s(counting(left)), [batch, left]);
    const merged = add(argMax(alike, 2), int64s([left]));
    const ofOthers = scatterElements(merged, alone, numbers, { axis: 1 });
    const ofKept = expand(int64s(counting(kept.length, left)), [batch, kept.length]);

    // Back in the order of the places, then over all pictures: the row of every place's token.
    const back = new Array<number>(places);
    [...others, ...kept].forEach((place, i) => back[place] = i);
    const token = take(concat([ofOthers, ofKept], 1), back);
    const rows = add(token, int64s(counting(batch).map((b) => b * tokens), [batch, 1]));
    const flat = reshape(rows, [-1]), index = unsqueeze(flat, 1);
    const ones = expand(constant(1, [], x.dtype), [batch * places, 1]);
    const sizes = scatterND(zeros(x.dtype, [batch * tokens, 1]), index, ones, "add");
    return {
      merge: (y) => {
        const sums = zeros(y.dtype, [batch * tokens, channels]);
        const sum = scatterND(sums, index, reshape(y, [-1, channels]), "add");
        return reshape(div(sum, sizes), [batch, tokens, channels]);
      },
      unmerge: (y) => reshape(gather(reshape(y, [-1, channels]), flat), [batch, places, channels]),
    };
  });
}

/** Entries along the second axis. */
function take(x: Value, indices: readonly number[]): Value {
  return gather(x, int64s(indices), 1);
}

const counting = (count: number, from = 0) => Array.from({ length: count }, (_, i) => from + i);
