/**
 * The flags of the networks beside the U-Net, each with its picture: ControlNets, IP-Adapters and
 * T2I-Adapters.
 *
 * @module
 */

import {
  type AdapterPicture,
  canny,
  type Control,
  type GenerateOptions,
  Image,
  type ImagePrompt,
  invert,
  type OpenOptions,
  readFace,
  tile,
} from "../mod.ts";
import { type FlagTable, type FlagValues, readNumber, UsageError } from "./flags.ts";

/** Flags that name networks: they are for the whole run. */
export const BESIDE_NETWORK_FLAGS = {
  controlnet: { kind: "list", value: "PATH", help: "ControlNet, folder or file; may repeat" },
  "ip-adapter": {
    kind: "list",
    value: "FILE",
    help: "IP-Adapter: a picture as prompt; may repeat",
  },
  "image-encoder": {
    kind: "text",
    value: "DIR",
    help: "of the IP-Adapters (image_encoder beside)",
  },
  clip: {
    kind: "text",
    value: "DIR",
    help: "CLIP model that guidance asks, such as clip-vit-large-patch14 (image_encoder beside)",
  },
  "clip-vae": {
    kind: "text",
    value: "PATH",
    help: "autoencoder that it decodes with; TAESD takes a small part of the time (the model's)",
  },
  "t2i-adapter": { kind: "list", value: "PATH", help: "T2I-Adapter, folder or file; may repeat" },
} as const satisfies FlagTable;

/** Flags that say what the networks are shown, one for each network, in their order. */
export const BESIDE_PICTURE_FLAGS = {
  "control-image": { kind: "list", value: "FILE", help: "what each ControlNet is shown" },
  "control-scale": { kind: "list", value: "N", help: "how strongly each ControlNet acts (1)" },
  "control-start": { kind: "list", value: "N", help: "part of the run where it begins (0)" },
  "control-end": { kind: "list", value: "N", help: "part of the run where it ends (1)" },
  "control-preprocess": {
    kind: "list",
    value: "NAME",
    help: "none, canny, canny:LOW:HIGH, invert, tile or tile:FACTOR (none)",
  },
  "control-guess": { kind: "switch", help: "ControlNets act on the prompt's part alone" },
  "ip-adapter-image": {
    kind: "list",
    value: "FILE",
    help:
      "what each IP-Adapter is shown; FaceID: a face recognizer's embedding, .json or .safetensors",
  },
  "ip-adapter-scale": { kind: "list", value: "N", help: "how strongly each IP-Adapter acts (1)" },
  "t2i-image": { kind: "list", value: "FILE", help: "what each T2I-Adapter is shown" },
  "t2i-scale": { kind: "list", value: "N", help: "how strongly each T2I-Adapter acts (1)" },
} as const satisfies FlagTable;

type Flags = FlagValues<typeof BESIDE_NETWORK_FLAGS & typeof BESIDE_PICTURE_FLAGS>;

/** The networks to open. */
export function besideNetworks(flags: Flags): Partial<OpenOptions> {
  const imageEncoder = flags["image-encoder"];
  const encoder = imageEncoder === undefined ? {} : { imageEncoder };
  return {
    ...(flags.controlnet && { controlNets: flags.controlnet }),
    ...(flags["ip-adapter"] &&
      { ipAdapters: flags["ip-adapter"].map((path) => ({ path, ...encoder })) }),
    ...(flags.clip !== undefined && { clip: flags.clip }),
    ...(flags["clip-vae"] !== undefined && { clipVae: flags["clip-vae"] }),
    ...(flags["t2i-adapter"] && { t2iAdapters: flags["t2i-adapter"] }),
  };
}

/** The pictures that the networks are shown. @throws {UsageError} where numbers disagree. */
export async function besidePictures(flags: Flags): Promise<Partial<GenerateOptions>> {
  return {
    ...await listOf("controls", flags, {
      network: "controlnet",
      image: "control-image",
      numbers: { scale: "control-scale", start: "control-start", end: "control-end" },
      load: pictureOf,
      make: (picture, i): Control => ({
        ...picture,
        image: preprocessed(picture.image, flags["control-preprocess"]?.[i]),
        ...(flags["control-guess"] && { guess: true }),
      }),
    }),
    ...await listOf("imagePrompts", flags, {
      network: "ip-adapter",
      image: "ip-adapter-image",
      numbers: { scale: "ip-adapter-scale" },
      load: shownOf,
      make: (picture): ImagePrompt => picture,
    }),
    ...await listOf("adapters", flags, {
      network: "t2i-adapter",
      image: "t2i-image",
      numbers: { scale: "t2i-scale" },
      load: pictureOf,
      make: (picture): AdapterPicture => picture,
    }),
  };
}

/** Files that hold numbers, not a picture. */
const FACE_FILE = /\.(json|safetensors|pt|bin)$/i;

const shownOf = async (path: string): Promise<ImagePrompt> =>
  FACE_FILE.test(path) ? { face: await readFace(path) } : { image: await Image.load(path) };

const pictureOf = async (path: string) => ({ image: await Image.load(path) });

type PictureFlag = keyof typeof BESIDE_PICTURE_FLAGS;
type ListFlag = Exclude<keyof Flags, "control-guess" | "image-encoder" | "clip" | "clip-vae">;

/** One picture with its numbers for each network of a kind. */
async function listOf<K extends string, T, P>(
  option: K,
  flags: Flags,
  { network, image, numbers, make, load }: {
    readonly network: ListFlag;
    readonly image: ListFlag;
    readonly numbers: Readonly<Record<string, ListFlag & PictureFlag>>;
    readonly make: (picture: P, index: number) => T;
    readonly load: (path: string) => Promise<P>;
  },
): Promise<{ [P in K]?: T[] }> {
  const paths = flags[image] ?? [], count = flags[network]?.length ?? 0;
  if (paths.length !== count) {
    throw new UsageError(
      `Give one --${image} for each --${network}; got ${paths.length} for ${count}.`,
    );
  }
  for (const flag of Object.values(numbers)) {
    if ((flags[flag]?.length ?? 0) > count) {
      throw new UsageError(`More --${flag} than --${network}.`);
    }
  }
  if (count === 0) return {};
  const list = await Promise.all(paths.map(async (path, i) => {
    const values = Object.entries(numbers).filter(([, flag]) => flags[flag]?.[i] !== undefined)
      .map(([name, flag]) => [name, numberOf(flag, flags[flag]![i]!)] as const);
    return make({ ...await load(path), ...Object.fromEntries(values) }, i);
  }));
  return { [option]: list } as { [P in K]?: T[] };
}

function numberOf(flag: PictureFlag, text: string): number {
  return readNumber(BESIDE_PICTURE_FLAGS[flag], `--${flag}`, text);
}

/** The picture as its ControlNet wants it. */
function preprocessed(image: Image, how = "none"): Image {
  const [name, ...numbers] = how.split(":");
  const [a, b] = numbers.map((text) => numberOf("control-preprocess", text));
  const fits = (most: number) => numbers.length <= most;
  if (name === "none" && fits(0)) return image;
  if (name === "invert" && fits(0)) return invert(image);
  if (name === "tile" && fits(1)) return tile(image, a);
  if (name === "canny" && fits(2)) {
    return canny(image, {
      ...(a !== undefined && { low: a }),
      ...(b !== undefined && { high: b }),
    });
  }
  throw new UsageError(
    `--control-preprocess takes none, canny, canny:100:200, invert, tile or tile:8; got "${how}".`,
  );
}
