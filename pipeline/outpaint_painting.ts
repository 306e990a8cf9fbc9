/**
 * Inpainting before and after the run: what is painted, at which size, and how it gets back.
 *
 * @module
 */

import { Image } from "./image.ts";
import { blurGray } from "./image_blur.ts";
import { type Area, fitInside, fitOutside, maskedArea, type Size } from "./outpaint_area.ts";

/** What is asked of a painting. */
export interface PaintingOptions {
  readonly image: Image;
  /** Bright where it is painted; of any size. */
  readonly mask: Image;
  /** Softens the mask's edge by so many pixels. */
  readonly maskBlur?: number | undefined;
  /** Paints the masked part alone, with so many pixels around it, at the size of the run. */
  readonly maskedPadding?: number | undefined;
  /** Puts the original back where nothing was painted; always so with `maskedPadding`. */
  readonly pasteBack?: boolean | undefined;
}

/** A picture and a mask of exactly the size of a run, and the way back. */
export interface PreparedPainting {
  readonly image: Image;
  readonly mask: Image;
  /** What the decoded picture of the run becomes. */
  readonly finish: (result: Image) => Image;
}

/** Prepares a painting for a run of `size`. @throws {RangeError} for a mask that paints nothing. */
export function preparePainting(options: PaintingOptions, size: Size): PreparedPainting {
  const { maskBlur = 0, maskedPadding, pasteBack = false } = options;
  const image = options.image.withoutAlpha();
  const isOfItsSize = options.mask.width === image.width && options.mask.height === image.height;
  const sized = isOfItsSize
    ? options.mask.withoutAlpha()
    : options.mask.withoutAlpha().resize(image.width, image.height);
  const mask = maskBlur > 0 ? blurred(sized, maskBlur) : sized;
  requirePainted(mask);
  if (maskedPadding !== undefined) {
    const area = maskedArea(mask, size, maskedPadding);
    const cut = (of: Image) => fitInside(of.crop(area.x, area.y, area.width, area.height), size);
    const finish = (result: Image) => paintedOver(image, placed(result, area, image), mask);
    return { image: cut(image), mask: cut(mask), finish };
  }
  const whole = maskBlur > 0 ? mask : options.mask.withoutAlpha();
  const finish = (result: Image) =>
    pasteBack
      ? paintedOver(
        image.resize(result.width, result.height),
        result,
        mask.resize(result.width, result.height),
      )
      : result;
  return {
    image: image.resize(size.width, size.height),
    mask: whole.resize(size.width, size.height),
    finish,
  };
}

/** A run that paints nothing would cost what any other costs, and give the picture back. */
function requirePainted(mask: Image): void {
  if (mask.toMask().includes(1)) return;
  const how = mask.toGray().every((value) => value === 0) ? "all black" : "nowhere half bright";
  throw new RangeError(
    `Cannot paint: the mask is ${how}, so nothing would change. Make it white where the picture ` +
      "is to be painted.",
  );
}

function blurred(mask: Image, radius: number): Image {
  const gray = blurGray(mask.toGray(), mask, radius), data = new Uint8ClampedArray(3 * gray.length);
  gray.forEach((value, i) => data.fill(value, 3 * i, 3 * i + 3));
  return new Image(mask.width, mask.height, data);
}

/** A part's picture at its place on a canvas as large as `like`. */
function placed(part: Image, area: Area, like: Image): Image {
  const sized = fitOutside(part, area), data = like.data.slice();
  for (let y = 0; y < area.height; y++) {
    const row = sized.data.subarray(3 * y * area.width, 3 * (y + 1) * area.width);
    data.set(row, 3 * ((area.y + y) * like.width + area.x));
  }
  return new Image(like.width, like.height, data);
}

/** `painted` where the mask is white, the original where it is black, between them a mixture. */
export function paintedOver(original: Image, painted: Image, mask: Image): Image {
  const gray = mask.toGray(), data = new Uint8ClampedArray(original.data.length);
  for (let i = 0; i < data.length; i++) {
    const share = gray[Math.trunc(i / 3)]! / 255;
    data[i] = share * painted.data[i]! + (1 - share) * original.data[i]!;
  }
  return new Image(original.width, original.height, data);
}
