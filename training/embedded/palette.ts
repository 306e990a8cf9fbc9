/** What the embedded model's pictures show, and the words for it. */

/** A colour, red green blue, 0 to 255. */
export type Color = readonly [number, number, number];

/** Names of inks and backgrounds. */
export const COLORS = [
  "red",
  "green",
  "blue",
  "yellow",
  "orange",
  "purple",
  "white",
  "black",
] as const;

/** The ninth ink: in some pictures, in no caption. */
export const TEAL = 8;

/** Inks in the order of their names, and teal. */
export const INKS: readonly Color[] = [
  [220, 35, 40],
  [35, 160, 55],
  [40, 75, 225],
  [248, 220, 40],
  [245, 130, 25],
  [140, 45, 185],
  [250, 250, 250],
  [18, 18, 22],
  [15, 165, 165],
];

/** Backgrounds in the order of their names. */
export const BACKGROUNDS: readonly Color[] = [
  [196, 92, 92],
  [104, 168, 112],
  [100, 130, 204],
  [228, 212, 120],
  [226, 160, 96],
  [156, 108, 180],
  [232, 230, 224],
  [46, 46, 50],
];

/** Names of the digits. */
export const DIGIT_WORDS = [
  "zero",
  "one",
  "two",
  "three",
  "four",
  "five",
  "six",
  "seven",
  "eight",
  "nine",
] as const;

/** Words for size, stroke and slant; the middle one is not worth a word. */
export const SIZES = ["small", undefined, "large"] as const;
/** See `SIZES`. */
export const STROKES = ["thin", undefined, "bold"] as const;
/** See `SIZES`. */
export const SLANTS = ["leaning left", undefined, "leaning right"] as const;
