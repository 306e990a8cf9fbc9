/** Files that are no model, or a hostile one: each ends in one line that says why, and exit status 1. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { seemsToBe } from "../../models/known_families.ts";
import { writeSafetensors } from "../../weights/safetensors_write.ts";
import { tensorInMemory } from "../../weights/stored_tensor.ts";
import { openWeights } from "../../weights/open_weights.ts";
import { toFloat32 } from "../../weights/read.ts";
import { inFolder, MODEL, run, SMALL } from "./process.ts";

const GOLDEN = join(import.meta.dirname!, "../golden");
const UNET = "unet/diffusion_pytorch_model.safetensors";

/** Asserts that nothing is drawn with `model`, and the one line about it. */
async function refuses(model: string, why: RegExp, folder: string): Promise<void> {
  const output = join(folder, "out.png");
  const flags = SMALL.filter((flag) => flag !== "--model" && flag !== MODEL);
  const { code, errors } = await run("generate", "a fox", "-m", model, ...flags, "-o", output);
  assert.equal(code, 1, errors);
  assert.match(errors, why);
  assert.ok(!errors.trim().includes("\n"), "more than one line");
  await assert.rejects(Deno.stat(output), Deno.errors.NotFound);
}

/** A copy of the small model, to damage. */
async function copied(folder: string): Promise<string> {
  const copy = join(folder, "model");
  await new Deno.Command("cp", { args: ["-r", MODEL, copy] }).output();
  await new Deno.Command("chmod", { args: ["-R", "u+w", copy] }).output();
  return copy;
}

const zeros = (name: string, shape: number[]) =>
  tensorInMemory(name, "F32", shape, new Float32Array(shape.reduce((a, b) => a * b, 1)));

/** A file with such tensors, of one number each. */
async function fileOf(folder: string, names: readonly string[]): Promise<string> {
  const path = join(folder, "file.safetensors");
  await writeSafetensors(path, names.map((name) => zeros(name, [1])), {});
  return path;
}

type Make = (folder: string) => Promise<string>;

const text = (content: string): Make => async (folder) => {
  const path = join(folder, "model.safetensors");
  await Deno.writeTextFile(path, content);
  return path;
};

/** A safetensors file of two numbers, whose header is changed before it is written. */
const headed = (header: Record<string, unknown>, length?: bigint): Make => async (folder) => {
  const path = join(folder, "model.safetensors");
  const json = new TextEncoder().encode(JSON.stringify(header));
  const start = new Uint8Array(8);
  new DataView(start.buffer).setBigUint64(0, length ?? BigInt(json.length), true);
  await Deno.writeFile(path, Uint8Array.of(...start, ...json, ...new Uint8Array(8)));
  return path;
};

const F32 = (from: number, to: number) => ({ dtype: "F32", shape: [1], data_offsets: [from, to] });

const BAD: readonly (readonly [what: string, make: Make, why: RegExp])[] = [
  ["a file of no bytes", text(""), /it is too short.*an empty file/],
  ["a text named .safetensors", text("Not for sale.\n"), /it looks like a text file/],
  ["a web page named .safetensors", text("<!doctype html><p>Log in"), /a web page.*needed a login/],
  [
    "a truncated file",
    async (folder) => {
      const model = await copied(folder), path = join(model, UNET);
      await Deno.truncate(path, (await Deno.stat(path)).size - 1000);
      return model;
    },
    /the file is too short; got \d+ bytes, expected \d+.*Copy or download it again/,
  ],
  [
    "a header longer than the file",
    headed({}, 99n),
    /its header ends beyond the file; got 18 bytes, expected 107 or more/,
  ],
  ["a header of an exabyte", headed({}, 1n << 60n), /its header would take 1152921504606846976/],
  [
    "a header that lies about sizes",
    headed({ a: { ...F32(0, 8), shape: [1000000] } }),
    /its byte count does not fit F32\[1000000\]; got 8, expected 4000000/,
  ],
  [
    "overlapping tensors",
    headed({ a: F32(0, 4), b: F32(2, 6), c: F32(4, 8) }),
    /tensor b overlaps a by 2 bytes/,
  ],
  [
    "a LoRA",
    () => Promise.resolve(join(GOLDEN, "reference/lora/kohya.safetensors")),
    /it seems to be a LoRA: give it with --lora, beside a model/,
  ],
  [
    "a pickle that would run code",
    () => Promise.resolve(join(GOLDEN, "weights/evil.pt")),
    /evil\.pt.*(posix|os|nt)\b.*system|refuse/,
  ],
  [
    "a zip bomb named .ckpt",
    async (folder) => {
      const path = join(folder, "model.ckpt");
      await Deno.writeFile(path, await bomb());
      return path;
    },
    /the entry is compressed, which torch never does/,
  ],
  [
    "an index that leads out of its folder",
    async (folder) => {
      const model = await copied(folder), path = join(model, UNET);
      await Deno.rename(path, join(folder, "outside.safetensors"));
      const index = { weight_map: { "conv_in.weight": "../../outside.safetensors" } };
      await Deno.writeTextFile(`${path}.index.json`, JSON.stringify(index));
      return model;
    },
    /"\.\.\/\.\.\/outside\.safetensors" is not the name of a file beside it/,
  ],
  [
    "a folder without model_index.json",
    (folder) => Promise.resolve(folder),
    /Cannot read .*model_index\.json: there is no such file/,
  ],
  [
    "a link to itself",
    async (folder) => {
      const path = join(folder, "loop.safetensors");
      await Deno.symlink(path, path);
      return path;
    },
    /loop\.safetensors.*symbolic link/i,
  ],
  [
    "a folder whose weights are a link to themselves",
    async (folder) => {
      const model = await copied(folder), path = join(model, UNET);
      await Deno.remove(path);
      await Deno.symlink(path, path);
      return model;
    },
    /Cannot open .*unet.*symbolic link/i,
  ],
  [
    "weights that are no numbers",
    async (folder) => {
      const model = await copied(folder), path = join(model, UNET);
      await broken(path, "conv_out.bias");
      return model;
    },
    /step 1 of 3.*the network's output is not finite.*latent explain model/,
  ],
  [
    "an autoencoder whose weights are no numbers",
    async (folder) => {
      const model = await copied(folder);
      await broken(join(model, "vae/diffusion_pytorch_model.safetensors"), "decoder.conv_out.bias");
      return model;
    },
    /the autoencoder .*vae.* gave \d+ values of \d+ that are no numbers.*--vae/,
  ],
];

for (const [what, make, why] of BAD) {
  Deno.test(`latent generate refuses ${what}`, () =>
    inFolder(async (folder) => {
      const own = join(folder, "own");
      await Deno.mkdir(own);
      await refuses(await make(own), why, folder);
    }));
}

/** A zip file with a megabyte of zeros in a thousand bytes. */
async function bomb(): Promise<Uint8Array> {
  const zeros = new Blob([new Uint8Array(1 << 20)]).stream();
  const packed = new Uint8Array(
    await new Response(zeros.pipeThrough(new CompressionStream("deflate-raw"))).arrayBuffer(),
  );
  const name = new TextEncoder().encode("archive/data.pkl");
  const fields = (head: number[], tail: number[]) => {
    const view = new DataView(new ArrayBuffer(26));
    view.setUint16(4, 8, true); // deflated
    view.setUint32(14 - 4, 0, true);
    view.setUint32(14, packed.length, true);
    view.setUint32(18, 1 << 20, true);
    view.setUint16(22, name.length, true);
    return [...head, ...new Uint8Array(view.buffer), ...tail];
  };
  const local = [0x50, 0x4b, 3, 4, ...fields([], []), ...name, ...packed];
  const central = [0x50, 0x4b, 1, 2, 20, 0, ...fields([], new Array(14).fill(0)), ...name];
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(8, 1, true);
  end.setUint16(10, 1, true);
  end.setUint32(12, central.length, true);
  end.setUint32(16, local.length, true);
  return Uint8Array.of(...local, ...central, ...new Uint8Array(end.buffer));
}

/** Rewrites a file with NaN in one of its tensors. */
async function broken(path: string, name: string): Promise<void> {
  const source = await openWeights(path), tensors = [];
  for (const own of source.names()) {
    const tensor = source.get(own)!, values = await toFloat32(tensor);
    if (own === name) values[0] = NaN;
    tensors.push(tensorInMemory(own, "F32", tensor.shape, values));
  }
  await Deno.remove(path);
  await writeSafetensors(path, tensors, {});
}

const OTHERS: readonly (readonly [family: string, names: readonly string[]])[] = [
  ["Flux", ["double_blocks.0.img_attn.qkv.weight", "single_blocks.0.linear1.weight"]],
  ["Flux", ["model.diffusion_model.double_blocks.0.img_attn.qkv.weight"]],
  ["Flux", [
    "transformer_blocks.0.attn.to_q.weight",
    "single_transformer_blocks.0.attn.to_q.weight",
  ]],
  ["Chroma", ["double_blocks.0.img_attn.qkv.weight", "distilled_guidance_layer.in_proj.weight"]],
  ["SD3", ["model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight"]],
  ["SD3", ["transformer_blocks.0.attn.add_q_proj.weight", "pos_embed.proj.weight"]],
  ["PixArt", ["blocks.0.cross_attn.q_linear.weight", "y_embedder.y_proj.fc1.weight"]],
  ["Wan", ["blocks.0.self_attn.q.weight", "time_projection.1.weight"]],
  ["Z-Image", ["noise_refiner.0.attention.qkv.weight", "context_refiner.0.attention.qkv.weight"]],
  ["Qwen-Image", ["transformer_blocks.0.img_mod.1.weight", "txt_norm.weight"]],
  ["HunyuanVideo", ["txt_in.individual_token_refiner.blocks.0.norm1.weight"]],
  [
    "Stable Video Diffusion",
    [
      "model.diffusion_model.input_blocks.0.0.weight",
      "model.diffusion_model.input_blocks.1.0.time_stack.in_layers.0.weight",
    ],
  ],
];

for (const [family, names] of OTHERS) {
  Deno.test(`latent generate says that ${names[0]} is of the ${family} family`, () =>
    inFolder(async (folder) => {
      const why = new RegExp(`it seems to be of the .*${family}.* family, which is not known here`);
      await refuses(await fileOf(folder, names), why, folder);
    }));
}

Deno.test("seemsToBe() tells what belongs beside a model, and has no idea of the rest", () => {
  const known: [name: string, what: RegExp][] = [
    ["lora_unet_mid_block.alpha", /a LoRA: give it with --lora/],
    ["emb_params", /a textual inversion: give it with --embedding/],
    ["control_model.zero_convs.0.0.weight", /a ControlNet: give it with --controlnet/],
    ["image_proj.proj.weight", /an IP-Adapter/],
    ["decoder.up.0.block.0.conv1.weight", /an autoencoder: give it with --vae/],
    ["3.conv.0.weight", /an autoencoder: give it with --vae/],
    ["model.1.sub.0.RDB1.conv1.0.weight", /an upscaler/],
    ["down_blocks.0.resnets.0.conv1.weight", /one part of a diffusers folder/],
  ];
  for (const [name, what] of known) assert.match(seemsToBe([name]) ?? "", what);
  assert.equal(seemsToBe(["something.else"]), undefined);
});
