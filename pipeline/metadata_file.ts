import { imageTexts, readImageFile } from "./image_file.ts";
import { type Metadata, readMetadata } from "./metadata.ts";

/**
 * Reads how the picture in a file was made, without decoding its pixels; undefined if it does not
 * say.
 *
 * Throws an ImageError if there is no such file, it is no PNG, JPEG or WebP, or it is damaged.
 */
export async function metadataOfFile(path: string | URL): Promise<Metadata | undefined> {
  const { text, ...size } = imageTexts(await readImageFile(path), String(path));
  const meta = readMetadata(text);
  return meta && { ...size, ...meta };
}
