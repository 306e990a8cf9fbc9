/** A folder of pictures to learn from, with their captions. */
import { basename, extname, join } from "node:path";
import { Image } from "../pipeline/image.ts";
import { ImageError } from "../pipeline/image_error.ts";
import { TrainingError } from "./training_error.ts";

const PICTURES = new Set([".png", ".jpg", ".jpeg", ".webp"]);

/** A picture of the folder. */
export interface Picture {
  /** File name. */
  readonly name: string;
  /** In the size trained at. */
  readonly image: Image;
  /** What `NAME.txt`, or the line of `captions.tsv`, says; absent where neither does. */
  readonly caption?: string;
}

/** What was found. */
export interface PictureFolder {
  /** In the order of their names. */
  readonly pictures: readonly Picture[];
  /** Files that could not be read, each with the reason. */
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
}

/**
 * Reads the PNG, JPEG and WebP files of `folder`, scaled so that they cover `width` x `height` and
 * cut to their middle.
 *
 * @throws {TrainingError} for a folder that is missing or has no readable picture, and with `strict`
 *   for one file that cannot be read.
 */
export async function readPictureFolder(
  folder: string,
  size: { readonly width: number; readonly height: number },
  { strict = false, option = "images" } = {},
): Promise<PictureFolder> {
  const names = await pictureNames(folder, option);
  const table = await captionTable(folder);
  const pictures: Picture[] = [], skipped: { name: string; reason: string }[] = [];
  for (const name of names) {
    try {
      const image = covering((await Image.load(join(folder, name))).withoutAlpha(), size);
      const caption = await ownCaption(folder, name) ?? table.get(name);
      pictures.push({ name, image, ...(caption !== undefined && { caption }) });
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
      if (strict) throw new TrainingError(option, error.message, { cause: error });
      skipped.push({ name, reason: error.message });
    }
  }
  if (pictures.length > 0) return { pictures, skipped };
  throw new TrainingError(
    option,
    `Cannot learn from ${folder}: it has no readable picture; got ${names.length} PNG, JPEG or ` +
      `WebP files, expected at least one${skipped[0] ? `. ${skipped[0].reason}` : "."}`,
  );
}

/** The PNG, JPEG and WebP files of `folder`; throws TrainingError, of `option`, without one. */
export async function pictureNames(folder: string, option: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const entry of Deno.readDir(folder)) {
      const isHidden = entry.name.startsWith(".");
      if (!entry.isDirectory && !isHidden && PICTURES.has(extname(entry.name).toLowerCase())) {
        names.push(entry.name);
      }
    }
  } catch (cause) {
    if (cause instanceof Deno.errors.NotCapable) throw cause;
    const why = cause instanceof Deno.errors.NotFound
      ? "there is no such folder"
      : cause instanceof Error
      ? cause.message
      : String(cause);
    throw new TrainingError(option, `Cannot read the pictures in ${folder}: ${why}.`, { cause });
  }
  return names.sort((a, b) => a < b ? -1 : 1);
}

/** Lines of `captions.tsv`: file name, tab, caption. */
async function captionTable(folder: string): Promise<Map<string, string>> {
  const text = await textOf(join(folder, "captions.tsv")) ?? "";
  const rows = text.split("\n").map((line) => line.replace(/\r$/, "").split("\t"));
  return new Map(rows.flatMap(([name, caption]) => name && caption ? [[name, caption]] : []));
}

/** `cat.png` is described by `cat.txt`, as in most training tools. */
async function ownCaption(folder: string, name: string): Promise<string | undefined> {
  const stem = basename(name, extname(name));
  return (await textOf(join(folder, `${stem}.txt`)))?.trim();
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function covering(image: Image, { width, height }: { width: number; height: number }): Image {
  const scale = Math.max(width / image.width, height / image.height);
  const w = Math.max(width, Math.round(image.width * scale));
  const h = Math.max(height, Math.round(image.height * scale));
  const scaled = w === image.width && h === image.height ? image : image.resize(w, h);
  return scaled.crop((w - width) >> 1, (h - height) >> 1, width, height);
}
