import { ImageError } from "./image_error.ts";
import {
  decodeImage,
  encodeImage,
  formatOf,
  type ImageFormat,
  readImageFile,
} from "./image_file.ts";
import { type ResizeFilter, resizePixels } from "./image_resize.ts";
import { writeWhole } from "./image_save.ts";
import { type Pixels, rgbOf } from "./pixels.ts";

const f = Math.fround;

/** A picture of 8-bit RGB or RGBA pixels, and the texts that are stored with it. */
export class Image implements Pixels {
  /** 3 for RGB, 4 for RGBA. */
  readonly channels: 3 | 4;

  /**
   * Texts by keyword, written by {@linkcode save} and filled by {@linkcode load}; the keyword
   * `parameters` is what A1111 and most other tools read.
   */
  readonly text: Record<string, string> = {};

  /** `data` is `[height, width, 3]` or `[height, width, 4]`; throws a RangeError for other sizes. */
  constructor(readonly width: number, readonly height: number, readonly data: Uint8ClampedArray) {
    const channels = data.length / (width * height);
    if (!(width >= 1 && height >= 1) || (channels !== 3 && channels !== 4)) {
      throw new RangeError(
        `Cannot make a picture: its data does not fit its size; got ${data.length} bytes for ` +
          `${width} x ${height}, expected 3 or 4 a pixel.`,
      );
    }
    this.channels = channels;
  }

  /**
   * Reads a PNG, JPEG or WebP picture from a path or from a file's bytes.
   *
   * Photographs are turned upright as their EXIF says. Throws an ImageError if there is no such
   * file, it is another kind of file, or it is damaged.
   */
  static async load(source: string | URL | Uint8Array): Promise<Image> {
    const name = source instanceof Uint8Array ? "the picture" : String(source);
    const bytes = source instanceof Uint8Array ? source : await readImageFile(source);
    const { pixels, text } = await decodeImage(bytes, name);
    const image = new Image(pixels.width, pixels.height, pixels.data);
    Object.assign(image.text, text);
    return image;
  }

  /**
   * The picture of an autoencoder's output, as diffusers' VaeImageProcessor makes it.
   *
   * `tensor` is `[3, height, width]` from -1 to 1; values outside are clipped. Throws a RangeError for
   * another size, and an ImageError if there are values that are not numbers, which would be black.
   */
  static fromTensor(tensor: Float32Array, width: number, height: number): Image {
    const area = width * height;
    if (tensor.length !== 3 * area) {
      throw new RangeError(
        `Cannot make a picture: the tensor does not fit; got ${tensor.length} values, expected ` +
          `3 x ${height} x ${width}.`,
      );
    }
    const data = new Uint8ClampedArray(3 * area);
    for (let channel = 0; channel < 3; channel++) {
      for (let i = 0; i < area; i++) {
        const value = tensor[channel * area + i]!;
        if (Number.isNaN(value)) throw notANumber();
        const share = Math.min(Math.max(f(f(value * 0.5) + 0.5), 0), 1);
        data[3 * i + channel] = f(share * 255); // the array rounds halves to even, as NumPy does
      }
    }
    return new Image(width, height, data);
  }

  /** `[3, height, width]` from -1 to 1, as an autoencoder takes it; alpha is dropped. */
  toTensor(): Float32Array {
    const { channels, data } = this, area = this.width * this.height;
    const values = Float32Array.from({ length: 256 }, (_, byte) => f(2 * f(byte / 255)) - 1);
    const out = new Float32Array(3 * area);
    for (let channel = 0; channel < 3; channel++) {
      for (let i = 0; i < area; i++) {
        out[channel * area + i] = values[data[i * channels + channel]!]!;
      }
    }
    return out;
  }

  /** Brightness, `[height, width]`: ITU-R 601 luma in whole numbers, as Pillow's mode "L". */
  toGray(): Uint8Array {
    const { channels, data } = this;
    const out = new Uint8Array(this.width * this.height);
    for (let i = 0, at = 0; i < out.length; i++, at += channels) {
      const luma = data[at]! * 19595 + data[at + 1]! * 38470 + data[at + 2]! * 7471;
      out[i] = (luma + 0x8000) >> 16;
    }
    return out;
  }

  /**
   * An inpainting mask, `[height, width]` of this picture or of the size asked for: 1 where it is
   * brighter than half (to be painted), 0 elsewhere.
   *
   * Another size takes the nearest pixel, as `torch.nn.functional.interpolate` does for latents.
   */
  toMask(width = this.width, height = this.height): Float32Array {
    const gray = this.toGray();
    const columns = f(this.width / width), rows = f(this.height / height);
    const out = new Float32Array(width * height);
    for (let y = 0; y < height; y++) {
      const row = Math.min(Math.floor(f(y * rows)), this.height - 1) * this.width;
      for (let x = 0; x < width; x++) {
        const column = Math.min(Math.floor(f(x * columns)), this.width - 1);
        out[y * width + x] = gray[row + column]! >= 128 ? 1 : 0;
      }
    }
    return out;
  }

  /**
   * This picture in another size, equal to Pillow's to the last bit; without its texts.
   *
   * Throws a RangeError unless both sides are whole numbers from 1 on.
   */
  resize(width: number, height: number, filter: ResizeFilter = "lanczos"): Image {
    requireSides("resize", width, height);
    return new Image(width, height, resizePixels(this, width, height, filter).data);
  }

  /**
   * The RGB of this picture, without its texts; clear pixels show the colours they hide, as in
   * Pillow. diffusers does this before it resizes.
   */
  withoutAlpha(): Image {
    return new Image(this.width, this.height, rgbOf(this));
  }

  /** A part of this picture, without its texts; throws a RangeError if it reaches outside. */
  crop(left: number, top: number, width: number, height: number): Image {
    requireSides("crop", width, height);
    const isInside = Number.isInteger(left) && Number.isInteger(top) && left >= 0 && top >= 0 &&
      left + width <= this.width && top + height <= this.height;
    if (!isInside) {
      throw new RangeError(
        `Cannot crop: ${width} x ${height} at ${left}, ${top} reaches outside a picture of ` +
          `${this.width} x ${this.height}.`,
      );
    }
    const { channels } = this, out = new Uint8ClampedArray(width * height * channels);
    for (let y = 0; y < height; y++) {
      const from = ((top + y) * this.width + left) * channels;
      out.set(this.data.subarray(from, from + width * channels), y * width * channels);
    }
    return new Image(width, height, out);
  }

  /**
   * The bytes of a file with these pixels and {@linkcode text}.
   *
   * A JPEG (`quality` 1 to 100, default 95) drops alpha, and has room for 64 kB in each text: throws
   * a RangeError for longer ones.
   */
  encode(format: ImageFormat = "png", options: { quality?: number } = {}): Promise<Uint8Array> {
    return encodeImage(this, format, this.text, options.quality);
  }

  /**
   * Writes a PNG or JPEG file, by the path's extension; the file is there whole or not at all.
   *
   * Throws a TypeError for another extension and an ImageError if it cannot be written.
   */
  async save(path: string, options: { quality?: number } = {}): Promise<void> {
    await writeWhole(path, await this.encode(formatOf(path), options));
  }
}

function notANumber(): ImageError {
  return new ImageError(
    "Cannot make a picture: the decoder's output has values that are not numbers. float16 " +
      "overflows in some autoencoders: run it in float32.",
    "the decoder's output",
  );
}

function requireSides(verb: string, width: number, height: number): void {
  if (Number.isInteger(width) && Number.isInteger(height) && width >= 1 && height >= 1) return;
  throw new RangeError(
    `Cannot ${verb}: a picture's sides are whole numbers from 1 on; got ${width} x ${height}.`,
  );
}
