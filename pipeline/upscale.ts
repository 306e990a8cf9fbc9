/**
 * Upscalers as ONNX files: ESRGAN, Real-ESRGAN, SwinIR and others that map a picture to a larger one.
 *
 * @module
 */

import { OrtError } from "../ffi/errors.ts";
import { cpu, type Provider } from "../ffi/providers.ts";
import { openRuntime, type Runtime } from "../ffi/runtime.ts";
import type { Session } from "../ffi/session.ts";
import { Tensor } from "../ffi/tensor.ts";
import { ModelFormatError } from "../weights/model_format_error.ts";
import { Image } from "./image.ts";
import { threadOptions } from "./thread_choice.ts";
import { planTiles, type Tile } from "./upscale_tiles.ts";

/** Options of {@linkcode Upscaler.open}. */
export interface UpscalerOptions {
  /** Execution providers in order of preference. Default: the CPU. */
  readonly providers?: readonly Provider[];
  /** Path of ONNX Runtime's library. Default: looked for. */
  readonly library?: string;
  /** Threads within an operator. Default: one a core that may be used. */
  readonly threads?: number;
}

/** Options of {@linkcode Upscaler.upscale}. */
export interface UpscaleOptions {
  /** Side of the tiles in pixels of the picture. Default 256; a model of one size has its own. */
  readonly tile?: number;
  /** Pixels around a tile that are computed and thrown away, against seams. Default 16, less in small tiles. */
  readonly overlap?: number;
  /** Told how many of the tiles are done. */
  readonly onTile?: (done: number, total: number) => void;
  /** Stops the run within a tile. */
  readonly signal?: AbortSignal;
}

/** An upscaler, opened. Owns native memory: dispose it, or write `using`. */
export class Upscaler implements Disposable {
  readonly #runtime: Runtime;
  readonly #session: Session;

  private constructor(readonly path: string, runtime: Runtime, session: Session) {
    this.#runtime = runtime;
    this.#session = session;
  }

  /**
   * Opens an ONNX file of one input and one output, float [1, 3, h, w] from 0 to 1 each.
   *
   * @throws {ModelFormatError} for a file that is no upscaler.
   */
  static async open(path: string, options: UpscalerOptions = {}): Promise<Upscaler> {
    const { providers = [cpu()], library, threads } = options;
    const runtime = openRuntime(library === undefined ? {} : { library });
    await requireFile(path);
    const session = await runtime.loadSession(path, {
      ...threadOptions(threads),
      providers,
    }).catch((cause) => {
      if (!(cause instanceof OrtError) || cause.code !== "INVALID_PROTOBUF") throw cause;
      throw new ModelFormatError(
        `Cannot use ${path} as an upscaler: it is not an ONNX file. Export the upscaler to ONNX.`,
        { path, cause },
      );
    });
    const [input] = session.inputs;
    const fits = session.inputs.length === 1 && session.outputs.length === 1 &&
      input!.shape.length === 4 && /^float(16|32)$/.test(input!.dtype) &&
      (input!.shape[1] === 3 || typeof input!.shape[1] === "string");
    if (fits) return new Upscaler(path, runtime, session);
    session.dispose();
    throw new ModelFormatError(
      `Cannot use ${path} as an upscaler: expected one input, a picture of shape [1, 3, h, w], ` +
        "and one output.",
      { path },
    );
  }

  /**
   * Enlarges a picture by the model's own factor, in tiles that overlap; alpha is dropped.
   *
   * @throws {ModelFormatError} where the results are not larger by one whole factor.
   */
  async upscale(image: Image, options: UpscaleOptions = {}): Promise<Image> {
    const { tile = 256, signal } = options;
    const [, , height, width] = this.#session.inputs[0]!.shape;
    const side = {
      width: typeof width === "number" && width > 0 ? width : Math.min(tile, image.width),
      height: typeof height === "number" && height > 0 ? height : Math.min(tile, image.height),
    };
    const narrow = Math.floor(Math.min(side.width, side.height) / 4);
    const tiles = planTiles(image, side, options.overlap ?? Math.min(16, narrow));
    let larger: Image | undefined, scale = 0;
    for (const [index, one] of tiles.entries()) {
      signal?.throwIfAborted();
      const { pixels, scale: own } = await this.#run(image, one, side, signal);
      larger ??= blank(image.width * own, image.height * own);
      scale ||= own;
      if (own !== scale) throw this.#misfit(`its factor changes from ${scale} to ${own}`);
      put(larger, pixels, one, { side, scale });
      options.onTile?.(index + 1, tiles.length);
    }
    return larger!;
  }

  /** Releases the session. */
  [Symbol.dispose](): void {
    this.#session.dispose();
  }

  /** Runs one tile: Float32Array [3, height * scale, width * scale]. */
  async #run(
    image: Image,
    tile: Tile,
    { width, height }: { readonly width: number; readonly height: number },
    signal: AbortSignal | undefined,
  ): Promise<{ pixels: Float32Array | Float16Array; scale: number }> {
    const { name, dtype } = this.#session.inputs[0]!;
    const count = 3 * width * height;
    const data = dtype === "float16" ? new Float16Array(count) : new Float32Array(count);
    for (let c = 0, at = 0; c < 3; c++) {
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          // A model of one size may want more than there is: the border goes on.
          const column = Math.min(tile.x + x, image.width - 1);
          const row = Math.min(tile.y + y, image.height - 1);
          data[at++] = image.data[(row * image.width + column) * image.channels + c]! / 255;
        }
      }
    }
    using input = Tensor.from(this.#runtime, dtype as "float32", data as Float32Array, [
      1,
      3,
      height,
      width,
    ]);
    const outputs = await this.#session.run({ [name]: input }, signal ? { signal } : {});
    using output = Object.values(outputs)[0]!;
    const scale = output.shape[3]! / width;
    const fits = output.shape.length === 4 && output.shape[1] === 3 && Number.isInteger(scale) &&
      scale >= 1 && output.shape[2] === height * scale;
    if (!fits) throw this.#misfit(`a tile of ${width} x ${height} gives [${output.shape}]`);
    return { pixels: (output.data as Float32Array).slice(), scale };
  }

  #misfit(why: string): ModelFormatError {
    return new ModelFormatError(`Cannot upscale with ${this.path}: ${why}.`, { path: this.path });
  }
}

/** Enlarges `image` with the upscaler in `path`. For several pictures open an {@linkcode Upscaler}. */
export async function upscale(
  image: Image,
  path: string,
  options: UpscaleOptions & UpscalerOptions = {},
): Promise<Image> {
  using upscaler = await Upscaler.open(path, options);
  return await upscaler.upscale(image, options);
}

const blank = (width: number, height: number) =>
  new Image(width, height, new Uint8ClampedArray(3 * width * height));

/** Writes the part of a tile's result that is its own. */
function put(
  image: Image,
  pixels: Float32Array | Float16Array,
  { x, y, keep }: Tile,
  { side, scale }: { readonly side: { width: number; height: number }; readonly scale: number },
): void {
  const width = side.width * scale, area = width * side.height * scale;
  for (let row = keep.top * scale; row < keep.bottom * scale; row++) {
    for (let column = keep.left * scale; column < keep.right * scale; column++) {
      const from = (row - y * scale) * width + column - x * scale;
      const to = 3 * (row * image.width + column);
      for (let c = 0; c < 3; c++) image.data[to + c] = pixels[c * area + from]! * 255;
    }
  }
}

/** ONNX Runtime's own words for a missing file are a riddle. */
async function requireFile(path: string): Promise<void> {
  try {
    if ((await Deno.stat(path)).isFile) return;
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
  }
  throw new ModelFormatError(
    `Cannot use ${path} as an upscaler: there is no such file. Give an ONNX file.`,
    { path },
  );
}
