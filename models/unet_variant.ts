/** How a U-Net may differ from the one that was trained, for the sake of guidance or of time. */

/** FreeU's four factors (Si et al. 2023, arXiv:2309.11497). */
export interface FreeU {
  /** Factor of the first two up blocks' backbone: above 1, such as 1.5 and 1.6 for SD 1. */
  readonly b1: number;
  /** The same for the second of them. */
  readonly b2: number;
  /** Factor of the lowest frequencies of their skip connections: below 1, such as 0.9 and 0.2. */
  readonly s1: number;
  /** The same for the second of them. */
  readonly s2: number;
}

/** Changes to a U-Net's graph; each list names layers as the checkpoint does, or their parents. */
export interface UNetVariant {
  /** Self-attention that looks at nothing but its own place: perturbed-attention guidance. */
  readonly identityAttention?: readonly string[];
  /** Transformers that are left out: skip-layer guidance. */
  readonly skippedLayers?: readonly string[];
  readonly freeU?: FreeU;
  /** Share of the places that self-attention of the finest resolution merges: up to 0.75. */
  readonly tokenMerging?: number;
}

/** Whether `path`, such as `up_blocks.1.attentions.0`, is one of `layers` or within one. */
export function isWithin(path: string, layers: readonly string[] | undefined): boolean {
  return layers?.some((layer) => `.${path}.`.includes(`.${layer}.`)) ?? false;
}
