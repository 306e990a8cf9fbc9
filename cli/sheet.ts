/**
 * `--grid`: the pictures of one run on one sheet.
 *
 * @module
 */

import { type Image, pictureGrid } from "../mod.ts";
import { openOutput } from "./output.ts";
import { labelsOf, type Plot } from "./plot.ts";

/** Collects pictures, then writes them side by side. */
export interface Sheet {
  /** True where it goes to standard output, which then carries nothing else. */
  readonly standardOutput: boolean;
  /** Adds a picture; with a plot, in its order. */
  add(image: Image, caption: string): void;
  /** Writes the sheet, if there are pictures; returns its path. */
  write(): Promise<string | undefined>;
}

/** A sheet for the file `target`; a plot's pictures get its labels, others captions. */
export async function openSheet(target: string, plot: Plot | undefined): Promise<Sheet> {
  const output = await openOutput(target, false);
  const images: Image[] = [], captions: string[] = [];
  return {
    standardOutput: output.standardOutput,
    add(image, caption) {
      images.push(image);
      captions.push(caption);
    },
    async write() {
      if (images.length === 0) return undefined;
      const labels = plot
        ? {
          columns: plot.x?.values.length ?? 1,
          columnLabels: labelsOf(plot.x),
          rowLabels: labelsOf(plot.y),
        }
        : { captions };
      const sheet = pictureGrid(images, labels);
      return await output.save(sheet, { index: 0, seed: 0, prompt: "" });
    },
  };
}
