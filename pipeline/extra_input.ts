/**
 * Inputs of the U-Net beyond latents, time and prompt.
 *
 * @module
 */

/** One input that stays the same from step to step. */
export interface ExtraInput {
  /** Of the graph. */
  readonly name: string;
  /** Of one picture, or of the whole input where it is shared by all. */
  readonly shape: readonly number[];
  /** Under the prompt. */
  readonly data: Float32Array;
  /** In the unconditional part. Default: the same. */
  readonly unconditional?: Float32Array;
  /** One for the whole batch, not one a picture. Default false. */
  readonly shared?: boolean;
  /** Part of the run after which it is zero, 0..1. Default 1. */
  readonly end?: number;
}
