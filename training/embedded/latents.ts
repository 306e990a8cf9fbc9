/** The U-Net's examples: latents of drawn pictures with what they show, in files of 1024. */
import { join } from "node:path";
import { exists } from "../../pipeline/existing.ts";
import type { SessionBuilder } from "../../pipeline/session_builder.ts";
import { TorchCpuGenerator } from "../../schedulers/random/torch_cpu.ts";
import { latentsFromMoments } from "../../models/vae_latents.ts";
import { toFloat32 } from "../../weights/read.ts";
import { openSafetensors } from "../../weights/safetensors.ts";
import { writeSafetensors } from "../../weights/safetensors_write.ts";
import { tensorInMemory } from "../../weights/stored_tensor.ts";
import { derivedSeed } from "../derived_seed.ts";
import type { TrainingEvent } from "../training_run.ts";
import { pictureEncoder } from "./autoencoder_stage.ts";
import { draw, drawTraits, SIDE, type Traits } from "./drawing.ts";
import type { Workspace } from "./workspace.ts";

/** Pictures in a file. */
export const FILE_PICTURES = 1024;

/** Latents with what their pictures show. */
export interface LatentPool {
  /** Float16Array [n, 4, 16, 16], as the U-Net has them. */
  readonly latents: Float16Array;
  readonly traits: readonly Traits[];
}

const pathOf = (workspace: Workspace, i: number) =>
  join(workspace.latents, `${String(i).padStart(4, "0")}.safetensors`);

/** Draws and encodes `files` times 1024 pictures; files that are there stay. */
export async function* makeLatents(
  workspace: Workspace,
  builder: SessionBuilder,
  files: number,
  signal?: AbortSignal,
): AsyncGenerator<TrainingEvent, void, void> {
  await Deno.mkdir(workspace.latents, { recursive: true });
  const vae = await workspace.autoencoder(), fields = await workspace.fields();
  const side = SIDE / vae.config.factor, channels = vae.config.latentChannels;
  using encoder = await pictureEncoder(vae, builder);
  for (let i = 0; i < files; i++) {
    signal?.throwIfAborted();
    const path = pathOf(workspace, i);
    if (await exists(path)) continue;
    const random = new TorchCpuGenerator(derivedSeed(workspace.seed, i, "latents"));
    const traits = drawTraits(fields, FILE_PICTURES, random);
    const { pictures } = draw(fields, traits, random);
    const moments = await encoder.encode(pictures);
    const shape = { batch: FILE_PICTURES, height: side, width: side };
    const noise = random.normal(moments.mean.length);
    const latents = Float16Array.from(latentsFromMoments(vae.config, moments, shape, noise));
    await writeSafetensors(path, [
      tensorInMemory("latents", "F16", [FILE_PICTURES, channels, side, side], latents),
      tensorInMemory("traits", "I32", [FILE_PICTURES, COLUMNS.length + 1], rows(traits)),
    ]);
    yield { kind: "checkpoint", step: (i + 1) * FILE_PICTURES, path };
  }
}

/** Reads the first `files` files. */
export async function openLatents(workspace: Workspace, files: number): Promise<LatentPool> {
  const traits: Traits[] = [];
  let latents = new Float16Array(0);
  for (let i = 0; i < files; i++) {
    const source = await openSafetensors(pathOf(workspace, i));
    const own = await toFloat32(source.get("latents")!);
    if (i === 0) latents = new Float16Array(files * own.length);
    latents.set(own, i * own.length);
    traits.push(...traitsOf(await toFloat32(source.get("traits")!)));
  }
  return { latents, traits };
}

const COLUMNS = ["digit", "field", "ink", "background", "stroke", "slant", "size"] as const;

function rows(traits: readonly Traits[]): Int32Array {
  return Int32Array.from(traits.flatMap((trait) => [
    ...COLUMNS.map((key) => trait[key]),
    Number(trait.outline),
  ]));
}

function traitsOf(table: Float32Array): Traits[] {
  const width = COLUMNS.length + 1;
  return Array.from({ length: table.length / width }, (_, i) => {
    const row = table.subarray(i * width, (i + 1) * width);
    const numbers = Object.fromEntries(COLUMNS.map((key, k) => [key, row[k]!]));
    return { ...numbers as Record<typeof COLUMNS[number], number>, outline: row[width - 1] === 1 };
  });
}
