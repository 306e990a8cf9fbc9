import type { Clipping } from "../clipping.ts";
import type { Level } from "../level.ts";
import type { AdaptiveSearch, Basis, Call, Plan, Stage } from "../plan.ts";
import type { Settings } from "../settings.ts";

/** What a run asks for, checked. */
export interface Request {
  /** Steps of the whole run, before `first` is cut off. */
  readonly steps: number;
  /** Timesteps to visit instead of spaced ones; `steps` is their count. */
  readonly timesteps?: readonly number[];
  /** Sigmas to visit, ending with the final one (usually 0); `steps` is their count less one. */
  readonly sigmas?: readonly number[];
  /** The first step that is run: 0, or later for image to image. */
  readonly first: number;
  /** Tokens of the picture, for flow models with resolution-dependent shifting. */
  readonly imageSequenceLength?: number;
}

/** A run before the network's prediction type is attached. */
export interface Draft {
  /** What the solver remembers. */
  readonly basis: Basis;
  /** A run from nothing starts with this much noise. */
  readonly initialScale: number;
  /** The solver's rows. */
  readonly calls: readonly Call[];
  /** What the network's input is multiplied by. */
  readonly inputScale: (level: Level) => number;
  /** The clean picture, where the network's output is not one of the usual predictions. */
  readonly denoised?: (level: Level) => Stage["denoised"];
  /** What is done to each denoised estimate. */
  readonly clipping?: Clipping;
  /** See `Plan.brownianPath`. */
  readonly brownianPath?: NonNullable<Plan["brownianPath"]>;
  /** See `Plan.adaptive`. */
  readonly adaptive?: Omit<AdaptiveSearch, "stageAt"> & { callAt(sigma: number): Call };
}

/** The network sees the sample as it is. */
export const asIs = (): number => 1;

/** The network sees the sample scaled to unit variance, in diffusers' float32. */
export function unitVariance({ noise }: Level): number {
  return 1 / Math.fround(Math.sqrt(Math.fround(Math.fround(noise * noise) + 1)));
}

/** One scheduler class of diffusers: which options it has, and how it plans a run. */
export interface Recipe {
  /** The options it reads from scheduler_config.json, with its own defaults. */
  readonly options: Partial<Settings>;
  /** Options that it can be told although diffusers' class lacks them: never read from the file. */
  readonly also?: readonly (keyof Settings)[];
  /** A request's `first` counts calls of the network, of which the first step takes several. */
  readonly firstIsCall?: boolean;
  /** Plans a run; throws RangeError for what it cannot do. */
  readonly draft: (settings: Settings, request: Request) => Draft;
}

/** The options of every scheduler that can limit its denoised estimates. */
export const CLIPPING_OPTIONS = {
  clipSample: false,
  clipSampleRange: 1,
  thresholding: false,
  dynamicThresholdingRatio: 0.995,
  sampleMaxValue: 1,
} as const satisfies Partial<Settings>;

/** Throws RangeError where the request gives levels that `name`, which has its own, cannot follow. */
export function refuseGiven(
  name: string,
  request: Request,
  ...kinds: readonly ("timesteps" | "sigmas")[]
): void {
  const given = kinds.find((kind) => request[kind] !== undefined);
  if (given === undefined) return;
  throw new RangeError(
    `Cannot plan a run: ${name} chooses its own ${given}; got a list of them, expected the ` +
      `number of steps alone. Leave the list out or use another scheduler.`,
  );
}

/** What the settings say is done to denoised estimates; thresholding comes before clipping. */
export function clippingOf(settings: Settings): { clipping?: Clipping } {
  const { thresholding, dynamicThresholdingRatio: ratio, sampleMaxValue: max } = settings;
  if (thresholding) return { clipping: { kind: "dynamic", ratio, max } };
  if (!settings.clipSample) return {};
  return { clipping: { kind: "range", range: settings.clipSampleRange } };
}
