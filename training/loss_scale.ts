/** A scale that begins high shows within a few steps how high it may be. */
const FIRST_SCALE = 2 ** 16;

/** Steps that turn out well before a larger scale is tried, as `torch.amp.GradScaler` has it. */
const PATIENCE = 2000;

/**
 * What the loss is multiplied by so that gradients in half precision do not vanish, and what they
 * are divided by afterwards (Micikevicius et al. 2018, arXiv:1710.03740, section 3.2). It falls to
 * a half when they overflow and doubles after many steps in which they do not.
 */
export class LossScale {
  /** The scale and the steps since it changed: what a checkpoint keeps. */
  readonly state: Float32Array<ArrayBuffer>;
  /** How often gradients overflowed. */
  overflows = 0;

  /** Begins at `first`. */
  constructor(first = FIRST_SCALE) {
    this.state = Float32Array.of(first, 0);
  }

  /** The scale now. */
  get value(): number {
    return this.state[0]!;
  }

  /** Gradients overflowed: half the scale; false where there is no smaller one to try. */
  fall(): boolean {
    this.overflows++;
    if (this.value <= 1) return false;
    this.state.set([this.value / 2, 0]);
    return true;
  }

  /** A step turned out well. */
  succeed(): void {
    const steps = this.state[1]! + 1;
    this.state.set(steps < PATIENCE ? [this.value, steps] : [this.value * 2, 0]);
  }
}
