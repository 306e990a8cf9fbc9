/**
 * OpenVINO: its options, graphs for it, and pictures where it is installed. `LATENT_OPENVINO` names
 * its library; otherwise that of `latent runtime install` is taken.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openRuntime } from "../../ffi/runtime.ts";
import { leaves, reachable } from "../../graph/reachable.ts";
import { unet } from "../../models/unet.ts";
import {
  cpu,
  cuda,
  type GenerateOptions,
  type Image,
  listRuntimes,
  type OpenOptions,
  openvino,
  type Provider,
  StableDiffusion,
} from "../../mod.ts";
import { openModel } from "../../pipeline/open_model.ts";
import { asksForBfloat16, openvinoGraph, openvinoOptions } from "../../pipeline/openvino.ts";
import { precisionOf } from "../../pipeline/precision.ts";

const LORA = fileURLToPath(new URL("../golden/reference/lora/kohya.safetensors", import.meta.url));
const SD1 = fileURLToPath(new URL("../golden/reference/models/sd1", import.meta.url));

/** OpenVINO's configuration that a provider passes. */
const configuration = ({ options }: Provider) => JSON.parse(options.load_config ?? "{}");

Deno.test("bfloat16 is a hint for each device, and what was configured stays", () => {
  const hint = { INFERENCE_PRECISION_HINT: "bf16" };
  const asked = (provider: Provider) =>
    configuration(openvinoOptions(provider, { bfloat16: true }));
  assert.deepEqual(asked(openvino()), { CPU: hint });
  assert.deepEqual(asked(openvino({ device: "AUTO:GPU.1,CPU" })), { GPU: hint, CPU: hint });
  const config = { CPU: { ENABLE_CPU_PINNING: "NO" }, NPU: { A: "b" } };
  assert.deepEqual(asked(openvino({ config })), {
    CPU: { ...hint, ENABLE_CPU_PINNING: "NO" },
    NPU: { A: "b" },
  });
  const f16 = { CPU: { INFERENCE_PRECISION_HINT: "f16" } };
  assert.deepEqual(asked(openvino({ config: f16 })), f16);
});

Deno.test("threads are OpenVINO's own, unless its options say so already", () => {
  const threads = (provider: Provider) =>
    openvinoOptions(provider, { threads: 3 }).options.num_of_threads;
  assert.equal(threads(openvino()), "3");
  assert.equal(threads(openvino({ threads: 1 })), "1");
  assert.deepEqual(openvinoOptions(openvino(), {}), openvino());
  assert.deepEqual(openvinoOptions(cuda(), { bfloat16: true, threads: 3 }), cuda());
});

Deno.test("bfloat16 in OpenVINO's own options is the pipeline's precision", () => {
  const config = { CPU: { INFERENCE_PRECISION_HINT: "bf16" } };
  assert.equal(precisionOf({ providers: [openvino({ config }), cpu()] }), "bfloat16");
  assert.equal(precisionOf({ providers: [openvino({ device: "GPU", config })] }), undefined);
  assert.equal(precisionOf({ precision: "float32", providers: [openvino({ config })] }), "float32");
  assert.throws(
    () => asksForBfloat16(openvino({ extra: { load_config: "ov.json" } })),
    { name: "OptionError", option: "providers", message: /load_config takes JSON.*got ov\.json/ },
  );
});

Deno.test("a graph for OpenVINO has no operators of ONNX Runtime, and weights as their file has", async () => {
  const { unet: { config, weights } } = await openModel(undefined);
  const model = unet(config, weights, { batch: 2, height: 16, width: 16, sequence: 16 });
  const isContrib = (outputs: typeof model.outputs) =>
    reachable(Object.values(outputs)).some(({ op }) => op.domain !== undefined);
  const types = ({ outputs }: typeof model) =>
    new Set(
      reachable(Object.values(outputs)).flatMap(({ inputs }) => inputs)
        .filter((value) => value?.node.kind === "initializer").map((value) => value!.dtype),
    );
  assert.ok(isContrib(model.outputs));
  assert.deepEqual([...types(model)], ["float32"]);
  const own = openvinoGraph(model);
  assert.ok(!isContrib(own.outputs));
  assert.deepEqual([...types(own)], ["float16"]);
  assert.deepEqual(own.inputs, model.inputs);
  const cut = { depth: 1, feature: "input" } as const;
  const shape = { batch: 2, height: 16, width: 16, sequence: 16 };
  const shallow = unet(config, weights, shape, { cut });
  const unused = ({ inputs, outputs }: typeof model) => {
    const used = leaves(reachable(Object.values(outputs)));
    return inputs.filter((input) => !used.includes(input)).length;
  };
  assert.deepEqual([unused(shallow), unused(openvinoGraph(shallow))], [1, 0]);
});

/** OpenVINO's library, if it is here. */
const library = Deno.env.get("LATENT_OPENVINO") ??
  listRuntimes().find(({ providers }) => providers.includes("OpenVINOExecutionProvider"))?.path;
openRuntime(); // both stay loaded: no leak of the first test
if (library !== undefined) openRuntime({ library });
// A test's name is what a quiet run shows.
else {
  Deno.test.ignore(
    "OPENVINO WAS NOT RUN: install it (latent runtime install onnxruntime_openvino-*.whl), or set " +
      "LATENT_OPENVINO to the path of its libonnxruntime.so",
    () => {},
  );
}

/** Draws by OpenVINO. */
async function drawn(
  picture: GenerateOptions,
  options: OpenOptions = {},
  model?: string,
): Promise<Image> {
  const open = { providers: [openvino()], library: library!, ...options };
  await using sd = await StableDiffusion.open(model, open);
  return await sd.generate(picture);
}

/** Draws by the processor's own provider. */
async function expected(picture: GenerateOptions, options: OpenOptions = {}, model?: string) {
  await using sd = await StableDiffusion.open(model, options);
  return await sd.generate(picture);
}

/** Peak signal to noise ratio in decibels. */
function psnr(a: Image, b: Image): number {
  const squares = a.data.reduce((sum, value, i) => sum + (value - b.data[i]!) ** 2, 0);
  return 10 * Math.log10(255 ** 2 / (squares / a.data.length));
}

const INSTALLED = { ignore: library === undefined };
const picture = { prompt: "a bold yellow three", seed: 3, steps: 8, scheduler: "DPM++ 2M" };

Deno.test(
  "OpenVINO draws what the CPU draws, from a text and from a picture",
  INSTALLED,
  async () => {
    const image = await expected(picture);
    assert.ok(psnr(image, await drawn(picture)) > 60);
    const again = { ...picture, prompt: "an eight", image, strength: 0.8 };
    assert.ok(psnr(await expected(again), await drawn(again)) > 60);
  },
);

Deno.test("in bfloat16 it draws nearly the same, and the picture says so", INSTALLED, async () => {
  const image = await drawn(picture, { precision: "bfloat16" });
  const distance = psnr(await expected(picture), image);
  assert.ok(distance > 35 && distance < 60, `${distance} dB`);
  assert.match(Object.values(image.text).join("\n"), /"precision":\s*"bfloat16"/);
});

Deno.test(
  "OpenVINO's networks are cut where steps are cached, and parts are skipped",
  INSTALLED,
  async () => {
    const cached = { ...picture, stepCache: { interval: 2 } };
    assert.ok(psnr(await expected(cached), await drawn(cached)) > 60);
    const perturbed = { ...picture, steps: 3, perturbedAttentionScale: 2 };
    assert.ok(psnr(await expected(perturbed), await drawn(perturbed)) > 60);
  },
);

Deno.test("merged LoRAs, and weights of float32, reach it too", INSTALLED, async () => {
  const small = { ...picture, steps: 2, width: 64, height: 64 };
  const loras = [{ path: LORA, weight: 1 }];
  const plain = await expected(small, {}, SD1), styled = await expected(small, { loras }, SD1);
  assert.ok(psnr(styled, await drawn(small, { loras }, SD1)) > 60);
  assert.ok(psnr(plain, await drawn(small, {}, SD1)) > 60);
  assert.ok(psnr(plain, styled) < 40);
});

Deno.test("pictures drawn together are those drawn alone", INSTALLED, async () => {
  const open = { providers: [openvino()], library: library! };
  await using sd = await StableDiffusion.open(undefined, open);
  const pictures = [1, 2].map((seed) => ({ ...picture, seed, steps: 3 }));
  const alone = await expected(pictures[1]!), together: Image[] = [];
  for await (const one of sd.generateMany(pictures, { batch: 2 })) {
    assert.equal(one.status, "fulfilled");
    if (one.status === "fulfilled") together.push(one.value);
  }
  assert.ok(psnr(alone, together[1]!) > 60);
});

Deno.test("compiled models can be kept, and are read again", INSTALLED, async () => {
  const cacheFolder = await Deno.makeTempDir();
  try {
    const providers = [openvino({ cacheFolder })], short = { ...picture, steps: 2 };
    const first = await drawn(short, { providers });
    const kept = [...Deno.readDirSync(cacheFolder)].map(({ name }) => name).sort();
    assert.ok(kept.some((name) => name.endsWith(".blob")), join(cacheFolder, kept.join(" ")));
    assert.deepEqual((await drawn(short, { providers })).data, first.data);
    assert.deepEqual([...Deno.readDirSync(cacheFolder)].map(({ name }) => name).sort(), kept);
  } finally {
    await Deno.remove(cacheFolder, { recursive: true });
  }
});
