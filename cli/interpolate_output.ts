/**
 * Where the frames of a walk go: a folder that can be filled in several runs, one animation, or
 * standard output.
 *
 * @module
 */

import { dirname, extname, join } from "node:path";
import {
  animationKindOf,
  type AnimationOptions,
  frameSink,
  Image,
  ImageError,
  openWhole,
  RECIPE_KEYWORD,
} from "../mod.ts";
import { UsageError } from "./flags.ts";
import { isFolder, makeFolder } from "./folders.ts";
import { writeToStandardOutput } from "./standard_output.ts";

/** Takes frames in order. */
export interface FrameOutput extends AsyncDisposable {
  /** True where frames go to standard output, which then carries nothing else. */
  readonly standardOutput: boolean;
  /** Frame `index` of an earlier run, if it is there whole and made by `recipe`. */
  kept(index: number, recipe: string): Promise<{ image: Image; path: string } | undefined>;
  /** Takes a frame; returns where it is, or will be. */
  save(image: Image, index: number): Promise<string>;
  /** Completes the file; disposed without that, an animation leaves nothing. */
  close(): Promise<void>;
}

/** Kinds of animations that a file name can ask for. */
const ANIMATIONS = [".gif", ".png", ".apng", ".y4m", ".rgb"];

/** Understands `--output`. @throws {UsageError} for a file that is no animation. */
export async function openFrameOutput(
  target: string,
  options: AnimationOptions & { readonly frames: number },
): Promise<FrameOutput> {
  if (target === "-") return toStandardOutput(options);
  const extension = extname(target).toLowerCase();
  if (target.endsWith("/") || extension === "" || await isFolder(target)) {
    return await toFolder(target);
  }
  if (ANIMATIONS.includes(extension)) return await toAnimation(target, options);
  throw new UsageError(
    `Cannot write ${target}: animations are ${ANIMATIONS.join(", ")} files; got "${extension}". ` +
      `End a folder's name in "/".`,
  );
}

/** `frame_0000.png`, with more digits where there are more frames. */
function frameName(index: number): string {
  return `frame_${String(index).padStart(4, "0")}.png`;
}

async function toFolder(folder: string): Promise<FrameOutput> {
  await makeFolder(folder);
  return {
    standardOutput: false,
    async kept(index, recipe) {
      const path = join(folder, frameName(index));
      try {
        const image = await Image.load(path);
        return image.text[RECIPE_KEYWORD] === recipe ? { image, path } : undefined;
      } catch (error) {
        // Not there, or damaged: it is drawn anew.
        if (error instanceof ImageError) return undefined;
        throw error;
      }
    },
    async save(image, index) {
      const path = join(folder, frameName(index));
      await image.save(path);
      return path;
    },
    close: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function toStandardOutput(options: AnimationOptions): FrameOutput {
  const sink = frameSink("y4m", { write: writeToStandardOutput }, options);
  return {
    standardOutput: true,
    kept: () => Promise.resolve(undefined),
    async save(image) {
      await sink.write(image);
      return "-";
    },
    close: () => sink.close(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

async function toAnimation(path: string, options: AnimationOptions): Promise<FrameOutput> {
  await makeFolder(dirname(path));
  const file = await openWhole(path), sink = frameSink(animationKindOf(path), file, options);
  return {
    standardOutput: false,
    kept: () => Promise.resolve(undefined),
    async save(image) {
      await sink.write(image);
      return path;
    },
    async close() {
      await sink.close();
      await file.keep();
    },
    [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
  };
}
