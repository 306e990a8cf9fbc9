/** What tests/golden/make_training.py wrote. */
interface Numbers {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

interface Clipped {
  readonly most: number;
  readonly norm: number;
  readonly clipped: readonly (readonly number[])[];
}

interface Golden {
  readonly losses: Readonly<
    Record<string, {
      readonly inputs: Readonly<Record<string, Numbers>>;
      readonly loss: number;
      readonly gradients: Readonly<Record<string, readonly number[]>>;
      readonly labels?: readonly number[];
    }>
  >;
  readonly min_snr: {
    readonly timesteps: readonly number[];
    readonly epsilon: readonly number[];
    readonly v_prediction: readonly number[];
  };
  readonly optimizers: {
    readonly start: readonly number[];
    readonly gradients: readonly (readonly number[])[];
    readonly rates: readonly number[];
    readonly paths: Readonly<Record<string, readonly (readonly number[])[]>>;
  };
  readonly schedules: Readonly<Record<"cosine" | "one-cycle", readonly number[]>>;
  readonly clipping: {
    readonly gradients: readonly (readonly number[])[];
    readonly short: Clipped;
    readonly long: Clipped;
  };
}

const path = new URL("../golden/training.json", import.meta.url);

/** The golden numbers of torch. */
export const GOLDEN: Golden = JSON.parse(Deno.readTextFileSync(path));
