/** Resizing of images: [N, C, H, W] by target size or by scales. */
import { apply, type OpDef, opTable } from "../op.ts";
import { fixed, ShapeError } from "../shape.ts";
import { constant, int64s, type Value } from "../value.ts";
import { reshape } from "./movement.ts";
import { reduceSum } from "./reduce.ts";

/** New [H, W], or how many times larger each becomes. */
export type ResizeTarget = readonly [number, number] | {
  readonly scales: readonly [number, number];
};

interface ResizeAttributes {
  readonly mode: "nearest" | "linear" | "cubic";
  readonly coordinate_transformation_mode: "asymmetric" | "half_pixel" | "align_corners";
  readonly nearest_mode: "floor" | "round_prefer_floor";
  readonly cubic_coeff_a: number;
  /** Result [H, W]. */
  readonly size: readonly [number, number];
}

/** x, roi (never given), scales or sizes. */
type ResizeInputs = readonly [Value, undefined, Value | undefined, Value | undefined];

const resizeOp: OpDef<ResizeInputs, ResizeAttributes> = {
  type: "Resize",
  attributes: {
    mode: "string",
    coordinate_transformation_mode: "string",
    nearest_mode: "string",
    cubic_coeff_a: "float",
  },
  infer: ([x], { size }) => [{ dtype: x.dtype, shape: [...x.shape.slice(0, 2), ...size] }],
  vjp: (g, { inputs: [x], attributes: { mode, size } }) => {
    const [h, w] = [fixed("Resize", x.shape, 2), fixed("Resize", x.shape, 3)];
    const [up, across] = [size[0] / h, size[1] / w];
    if (mode !== "nearest" || !Number.isInteger(up) || !Number.isInteger(across)) {
      throw new RangeError(
        `Cannot differentiate Resize from ${h}x${w} to ${size[0]}x${size[1]} (${mode}): ` +
          `only nearest by whole factors has a rule.`,
      );
    }
    const blocks = reshape(g, [...x.shape.slice(0, 2), h, up, w, across]); // each pixel became a block
    return [reduceSum(blocks, { axes: [3, 5] })];
  },
  jvp: ([t], { inputs: [, , scales, sizes], attributes }) => [
    t && apply(resizeOp, [t, undefined, scales, sizes], attributes),
  ],
};

function resize(x: Value, target: ResizeTarget, attributes: Omit<ResizeAttributes, "size">): Value {
  if (x.shape.length !== 4) throw new ShapeError("Resize", [x.shape], "expected [N, C, H, W].");
  const from = [fixed("Resize", x.shape, 2), fixed("Resize", x.shape, 3)] as const;
  const size = "scales" in target
    ? [Math.floor(from[0] * target.scales[0]), Math.floor(from[1] * target.scales[1])] as const
    : target;
  const scales = "scales" in target
    ? target.scales
    : [size[0] / from[0], size[1] / from[1]] as const;
  // Whole scales are exact and take the fast path; otherwise the sizes say what is meant.
  const exact = "scales" in target || scales.every(Number.isInteger);
  const inputs: ResizeInputs = exact
    ? [x, undefined, constant(Float32Array.from([1, 1, ...scales])), undefined]
    : [
      x,
      undefined,
      undefined,
      int64s([fixed("Resize", x.shape, 0), fixed("Resize", x.shape, 1), ...size]),
    ];
  return apply(resizeOp, inputs, { ...attributes, size });
}

/** Repeats pixels: the nearest one up and to the left (torch's mode "nearest"). */
export function resizeNearest(x: Value, target: ResizeTarget): Value {
  return resize(x, target, {
    mode: "nearest",
    coordinate_transformation_mode: "asymmetric",
    nearest_mode: "floor",
    cubic_coeff_a: -0.75,
  });
}

/** Options of `resizeLinear` and `resizeCubic`. */
export interface SmoothResizeOptions {
  /** Put the corner pixels' centres on each other (torch's align_corners); default false. */
  readonly alignCorners?: boolean;
}

/** Bilinear interpolation between pixel centres (torch's "bilinear"). */
export function resizeLinear(
  x: Value,
  target: ResizeTarget,
  options: SmoothResizeOptions = {},
): Value {
  return smooth(x, target, "linear", options);
}

/** Bicubic interpolation, a = -0.75 (torch's "bicubic"). */
export function resizeCubic(
  x: Value,
  target: ResizeTarget,
  options: SmoothResizeOptions = {},
): Value {
  return smooth(x, target, "cubic", options);
}

function smooth(
  x: Value,
  target: ResizeTarget,
  mode: "linear" | "cubic",
  { alignCorners = false }: SmoothResizeOptions,
): Value {
  return resize(x, target, {
    mode,
    coordinate_transformation_mode: alignCorners ? "align_corners" : "half_pixel",
    nearest_mode: "round_prefer_floor",
    cubic_coeff_a: -0.75,
  });
}

/** Every operation here, for tables of tests. */
export const resizeOps: readonly OpDef[] = opTable(resizeOp);
