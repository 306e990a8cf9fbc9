import assert from "node:assert/strict";
import { join } from "node:path";
import { Image } from "../../pipeline/image.ts";
import { type Metadata, readMetadata } from "../../pipeline/metadata.ts";
import { metadataOfFile } from "../../pipeline/metadata_file.ts";
import { optionsFromMetadata } from "../../pipeline/metadata_options.ts";

function read(texts: Record<string, string>): Metadata {
  const meta = readMetadata(texts);
  assert.ok(meta);
  return meta;
}

const A1111 = `a (red:1.2) fox, <lora:snow:0.8>
in the snow
Negative prompt: blurry, "text": bad
hands
Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7.5, Seed: 3735928559, ` +
  `Size: 768x512, Model hash: 6ce0161689, Model: v1-5-pruned-emaonly, Denoising strength: 0.7, ` +
  `Clip skip: 2, Hires upscale: 2, Lora hashes: "snow: abc123, ice: def456", RNG: CPU, ` +
  `Version: v1.9.4`;

Deno.test("readMetadata reads A1111's text", () => {
  const meta = read({ parameters: A1111 });
  assert.deepEqual({ ...meta, warnings: [] }, {
    source: "a1111",
    prompt: "a (red:1.2) fox, <lora:snow:0.8>\nin the snow",
    negativePrompt: 'blurry, "text": bad\nhands',
    seed: 3735928559,
    steps: 20,
    scheduler: "DPM++ 2M",
    sigmaSchedule: "Karras",
    guidanceScale: 7.5,
    width: 768,
    height: 512,
    clipSkip: 1,
    model: "v1-5-pruned-emaonly",
    rng: "cpu",
    extra: {
      "Model hash": "6ce0161689",
      "Denoising strength": "0.7",
      "Hires upscale": "2",
      "Lora hashes": "snow: abc123, ice: def456",
      Version: "v1.9.4",
    },
    warnings: [],
  });
  assert.deepEqual(meta.warnings, [
    '"Hires upscale: 2" changed the picture and is not repeated',
    '"Denoising strength: 0.7" changed the picture and is not repeated',
    '"Lora hashes: snow: abc123, ice: def456" changed the picture and is not repeated',
  ]);
  assert.deepEqual(optionsFromMetadata(meta), {
    prompt: "a (red:1.2) fox, <lora:snow:0.8>\nin the snow",
    negativePrompt: 'blurry, "text": bad\nhands',
    seed: 3735928559,
    steps: 20,
    guidanceScale: 7.5,
    width: 768,
    height: 512,
    clipSkip: 1,
    promptSyntax: "a1111",
    scheduler: "DPMSolverMultistepScheduler",
    schedulerOptions: { sigmaSchedule: "karras" },
  });
});

Deno.test("readMetadata takes A1111's older names, and its GPU for random numbers", () => {
  const meta = read({
    parameters: "fox\nSteps: 20, Sampler: DPM++ 2M SDE Karras, CFG scale: 7, Seed: 1, Size: 64x64",
  });
  const options = optionsFromMetadata(meta);
  assert.equal(options.scheduler, "DPMSolverMultistepScheduler");
  assert.deepEqual(options.schedulerOptions, {
    algorithmType: "sde-dpmsolver++",
    sigmaSchedule: "karras",
  });
  assert.equal(options.rng, "cuda");
});

Deno.test("readMetadata takes a last line for settings only if it has three", () => {
  const few = read({ parameters: "a ratio of 4: 3, one: two" });
  assert.equal(few.prompt, "a ratio of 4: 3, one: two");
  assert.deepEqual(few.warnings, ["the text has no line of settings"]);
  const tricky = read({
    parameters: "Steps: 3, Seed: 9, Size: 1x1\nSteps: 20, Sampler: Euler a, Seed: 1, Size: 64x64",
  });
  assert.equal(tricky.prompt, "Steps: 3, Seed: 9, Size: 1x1");
  assert.equal(tricky.steps, 20);
});

Deno.test("readMetadata reads stable-diffusion.cpp's text", () => {
  const meta = read({
    parameters: "a lovely cat\nNegative prompt: dogs\nSteps: 20, CFG scale: 7.000000, " +
      "Guidance: 3.5, Eta: 0, Seed: 42, Size: 512x768, Model: sd-v1-4.ckpt, RNG: cuda, " +
      "Sampler: euler_a, Version: stable-diffusion.cpp",
  });
  assert.equal(meta.source, "stable-diffusion.cpp");
  assert.equal(meta.negativePrompt, "dogs");
  assert.deepEqual([meta.width, meta.height, meta.seed, meta.eta], [512, 768, 42, 0]);
  const options = optionsFromMetadata(meta);
  assert.equal(options.scheduler, "EulerAncestralDiscreteScheduler");
  assert.equal(options.schedulerOptions, undefined, "it writes eta 0 for ancestral ones, too");
  assert.equal(options.rng, "cuda");
});

const COMFY = {
  "3": {
    class_type: "KSampler",
    inputs: {
      seed: 156680208700286,
      steps: 20,
      cfg: 8,
      sampler_name: "dpmpp_2m",
      scheduler: "karras",
      denoise: 1,
      model: ["10", 0],
      positive: ["12", 0],
      negative: ["7", 0],
      latent_image: ["5", 0],
    },
  },
  "4": { class_type: "CheckpointLoaderSimple", inputs: { ckpt_name: "v1-5.safetensors" } },
  "5": { class_type: "EmptyLatentImage", inputs: { width: 768, height: 512, batch_size: 1 } },
  "6": { class_type: "CLIPTextEncode", inputs: { text: ["20", 0], clip: ["11", 0] } },
  "7": { class_type: "CLIPTextEncode", inputs: { text: "text, watermark", clip: ["11", 0] } },
  "8": { class_type: "VAEDecode", inputs: { samples: ["3", 0], vae: ["4", 2] } },
  "9": { class_type: "SaveImage", inputs: { filename_prefix: "x", images: ["8", 0] } },
  "10": {
    class_type: "LoraLoader",
    inputs: { lora_name: "snow.safetensors", strength_model: 0.8, model: ["4", 0], clip: ["4", 1] },
  },
  "11": { class_type: "CLIPSetLastLayer", inputs: { stop_at_clip_layer: -2, clip: ["10", 1] } },
  "12": {
    class_type: "ControlNetApplyAdvanced",
    inputs: { strength: 1, positive: ["6", 0], negative: ["7", 0], image: ["9", 0] },
  },
  "20": { class_type: "PrimitiveString", inputs: { value: "a galaxy\nin a bottle" } },
};

Deno.test("readMetadata follows ComfyUI's links from the sampler to the texts", () => {
  const prompt = JSON.stringify({ ...COMFY, "30": { inputs: { x: 0 }, is_changed: [0] } })
    .replace('"is_changed":[0]', '"is_changed":[NaN]');
  const meta = read({ prompt, workflow: "{}" });
  assert.deepEqual({ ...meta, warnings: [] }, {
    source: "comfyui",
    prompt: "a galaxy\nin a bottle",
    negativePrompt: "text, watermark",
    seed: 156680208700286,
    steps: 20,
    scheduler: "dpmpp_2m",
    sigmaSchedule: "karras",
    guidanceScale: 8,
    width: 768,
    height: 512,
    clipSkip: 1,
    model: "v1-5.safetensors",
    rng: "cpu",
    extra: { "LoRA snow.safetensors": "0.8" },
    warnings: [],
  });
  assert.deepEqual(meta.warnings, [
    "the LoRA snow.safetensors is not repeated",
    "the graph has nodes such as ControlNet that are not repeated",
  ]);
});

Deno.test("readMetadata takes the first of ComfyUI's samplers in a row, and says so", () => {
  const prompt = JSON.stringify({
    ...COMFY,
    "40": { class_type: "LatentUpscale", inputs: { samples: ["3", 0], width: 1536, height: 1024 } },
    "41": {
      class_type: "KSampler",
      inputs: {
        ...COMFY["3"].inputs,
        seed: 7,
        steps: 9,
        denoise: 0.5,
        latent_image: ["40", 0],
      },
    },
    "8": { class_type: "VAEDecode", inputs: { samples: ["41", 0] } },
  });
  const meta = read({ prompt });
  assert.deepEqual([meta.seed, meta.steps, meta.width], [156680208700286, 20, 768]);
  assert.match(meta.warnings[0]!, /2 samplers in a row/);
});

Deno.test("readMetadata reads ComfyUI's samplers made of parts", () => {
  const prompt = JSON.stringify({
    "1": {
      class_type: "SamplerCustomAdvanced",
      inputs: {
        noise: ["2", 0],
        guider: ["3", 0],
        sampler: ["4", 0],
        sigmas: ["5", 0],
        latent_image: ["6", 0],
      },
    },
    "2": { class_type: "RandomNoise", inputs: { noise_seed: ["7", 0] } },
    "3": {
      class_type: "CFGGuider",
      inputs: { cfg: 3.5, positive: ["8", 0], negative: ["9", 0], model: ["10", 0] },
    },
    "4": { class_type: "KSamplerSelect", inputs: { sampler_name: "euler" } },
    "5": { class_type: "BasicScheduler", inputs: { scheduler: "sgm_uniform", steps: 12 } },
    "6": { class_type: "EmptySD3LatentImage", inputs: { width: 1024, height: 1024 } },
    "7": { class_type: "PrimitiveInt", inputs: { value: "the seed" } },
    "8": { class_type: "CLIPTextEncodeSDXL", inputs: { text_g: "dawn", text_l: "dawn, light" } },
    "9": { class_type: "ConditioningZeroOut", inputs: { conditioning: ["8", 0] } },
  });
  const meta = read({ prompt: prompt.replace('"the seed"', "18446744073709551") });
  assert.equal(meta.seed, 18446744073709551n);
  assert.equal(meta.prompt, "dawn, dawn, light");
  assert.equal(meta.negativePrompt, "");
  assert.deepEqual(
    [meta.steps, meta.guidanceScale, meta.scheduler, meta.sigmaSchedule],
    [12, 3.5, "euler", "sgm_uniform"],
  );
});

Deno.test("readMetadata ends on a ComfyUI graph with a circle", () => {
  const prompt = JSON.stringify({
    "1": { class_type: "KSampler", inputs: { seed: ["2", 0], latent_image: ["1", 0], steps: 3 } },
    "2": { class_type: "Loop", inputs: { value: ["2", 0], samples: ["2", 0] } },
  });
  assert.equal(read({ prompt }).steps, 3);
  assert.equal(read({ prompt }).seed, undefined);
});

Deno.test("readMetadata reads InvokeAI's texts, new and old", () => {
  const meta = read({
    invokeai_metadata: JSON.stringify({
      app_version: "3.3.0",
      generation_mode: "txt2img",
      positive_prompt: "landscape",
      negative_prompt: "low quality",
      width: 768,
      height: 432,
      seed: 356120443,
      rand_device: "cpu",
      cfg_scale: 7.5,
      steps: 50,
      scheduler: "dpmpp_2m_sde_k",
      clip_skip: 1,
      model: { model_name: "amixx", base_model: "sd-1" },
      controlnets: [],
      loras: [{ lora: { model_name: "snow" }, weight: 1 }],
    }),
  });
  assert.equal(meta.source, "invokeai");
  assert.deepEqual(
    [meta.prompt, meta.negativePrompt, meta.model, meta.clipSkip, meta.rng],
    ["landscape", "low quality", "amixx", 1, "cpu"],
  );
  assert.deepEqual(optionsFromMetadata(meta).schedulerOptions, {
    algorithmType: "sde-dpmsolver++",
    sigmaSchedule: "karras",
  });
  assert.deepEqual(meta.warnings, ['"loras" changed the picture and is not repeated']);

  const old = read({
    "sd-metadata": JSON.stringify({
      model: "stable diffusion",
      model_weights: "stable-diffusion-1.5",
      app_id: "invoke-ai/InvokeAI",
      image: {
        prompt: [{ prompt: "a fox [blurry, dark] at dawn", weight: 1 }],
        steps: 30,
        cfg_scale: 7.5,
        width: 512,
        height: 512,
        seed: 123,
        sampler: "k_lms",
        type: "txt2img",
      },
    }),
  });
  assert.deepEqual([old.prompt, old.negativePrompt], ["a fox at dawn", "blurry, dark"]);
  assert.equal(old.model, "stable-diffusion-1.5");
  assert.equal(optionsFromMetadata(old).scheduler, "LMSDiscreteScheduler");
});

Deno.test("readMetadata reads NovelAI's texts", () => {
  const meta = read({
    Title: "AI generated image",
    Software: "NovelAI",
    Source: "Stable Diffusion XL C1E1DE52",
    Description: "1girl, dawn",
    Comment: JSON.stringify({
      prompt: "1girl, dawn",
      uc: "lowres",
      steps: 28,
      height: 1216,
      width: 832,
      scale: 5,
      cfg_rescale: 0.2,
      seed: 4242,
      noise_schedule: "karras",
      sampler: "k_dpmpp_2s_ancestral",
      sm: false,
    }),
  });
  assert.equal(meta.source, "novelai");
  assert.deepEqual(
    [meta.prompt, meta.negativePrompt, meta.steps, meta.guidanceRescale, meta.height],
    ["1girl, dawn", "lowres", 28, 0.2, 1216],
  );
  assert.deepEqual(meta.extra, { sm: "false" });
  const options = optionsFromMetadata(meta);
  assert.equal(options.scheduler, "DPMPP2SAncestral");
  assert.deepEqual(options.schedulerOptions, { sigmaSchedule: "karras" });
});

Deno.test("readMetadata reads Fooocus's JSON", () => {
  const meta = read({
    fooocus_scheme: "fooocus",
    parameters: JSON.stringify({
      prompt: "a house",
      negative_prompt: "",
      styles: "['Fooocus V2']",
      performance: "Speed",
      steps: 30,
      resolution: "(1152, 896)",
      guidance_scale: 4,
      sharpness: 2,
      base_model: "juggernautXL",
      sampler: "dpmpp_2m_sde_gpu",
      scheduler: "karras",
      seed: "8427936549037352",
      version: "Fooocus v2.4.1",
    }),
  });
  assert.equal(meta.source, "fooocus");
  assert.deepEqual(
    [meta.width, meta.height, meta.seed, meta.steps],
    [1152, 896, 8427936549037352, 30],
  );
  assert.match(meta.warnings.join(), /styles: \['Fooocus V2'\]" is not repeated/);
});

Deno.test("readMetadata says which scheduler or schedule it does not know", () => {
  const line = (sampler: string) => `x\nSteps: 2, Sampler: ${sampler}, Seed: 1, Size: 8x8`;
  const unknown = read({ parameters: line("Eulerish 9000") });
  assert.match(unknown.warnings.join(), /Cannot choose scheduler "Eulerish 9000"/);
  assert.throws(() => optionsFromMetadata(unknown), /RangeError.*Eulerish/);
  assert.equal(optionsFromMetadata(unknown, { scheduler: "euler" }).scheduler, "euler");
  const schedule = read({ parameters: line("Euler, Schedule type: Bong Tangent") });
  assert.match(schedule.warnings.join(), /the schedule "Bong Tangent" is not known/);
  assert.equal(optionsFromMetadata(schedule).scheduler, "EulerDiscreteScheduler");
  const uniform = read({ parameters: line("Euler, Schedule type: Uniform") });
  assert.deepEqual(optionsFromMetadata(uniform).schedulerOptions, { sigmaSchedule: "trained" });
  const unfit = read({ parameters: line("LCM, Schedule type: Karras, Eta: 0.5") });
  assert.match(unfit.warnings.join(), /"Karras".*possible with LCMScheduler.*eta 0.5/);
  assert.equal(optionsFromMetadata(unfit).schedulerOptions, undefined);
  const eta = read({ parameters: line("DDIM, Schedule type: Automatic, Eta: 0.5") });
  assert.deepEqual([eta.warnings, optionsFromMetadata(eta).schedulerOptions], [[], { eta: 0.5 }]);
});

Deno.test("readMetadata takes the size from the picture where the text has none", () => {
  const image = new Image(4, 2, new Uint8ClampedArray(24));
  assert.equal(readMetadata(image), undefined);
  image.text.parameters = "a fox";
  const meta = readMetadata(image);
  assert.deepEqual([meta?.width, meta?.height, meta?.prompt], [4, 2, "a fox"]);
});

Deno.test("readMetadata finds nothing in texts about something else", () => {
  for (
    const texts of [
      {},
      { parameters: "" },
      { prompt: "not JSON" },
      { prompt: "{}" },
      { prompt: '{"1": {"class_type": "LoadImage", "inputs": {}}}' },
      { invokeai_metadata: "[]", "sd-metadata": "null" },
      { Comment: '{"made": "with GIMP"}', Software: "GIMP" },
    ]
  ) {
    assert.equal(readMetadata(texts as Record<string, string>), undefined, JSON.stringify(texts));
  }
});

Deno.test("metadataOfFile reads PNG and JPEG files by their texts alone", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const image = new Image(4, 2, new Uint8ClampedArray(24));
    image.text.parameters = "a fox, 東京\nSteps: 2, Sampler: Euler, Seed: 1";
    for (const name of ["a.png", "a.jpg"]) {
      await image.save(join(folder, name));
      const meta = await metadataOfFile(join(folder, name));
      assert.deepEqual([meta?.prompt, meta?.width, meta?.height], ["a fox, 東京", 4, 2]);
    }
    delete image.text.parameters;
    await image.save(join(folder, "b.png"));
    assert.equal(await metadataOfFile(join(folder, "b.png")), undefined);
    await assert.rejects(metadataOfFile(join(folder, "c.png")), /ImageError.*no such file/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("readMetadata never throws, whatever stands where it looks", () => {
  const odd = [null, [], {}, "", -1, true, ["3", 0], ["nowhere", 0], [["3"]], "NaN", 1e300];
  const graph = JSON.stringify(COMFY);
  let state = 1;
  const draw = (most: number) => (state = (state * 48271) % 2147483647) % most;
  for (let i = 0; i < 400; i++) {
    const nodes = JSON.parse(graph) as Record<string, { inputs: Record<string, unknown> }>;
    for (let change = 0; change < 1 + draw(6); change++) {
      const ids = Object.keys(nodes), node = nodes[ids[draw(ids.length)]!];
      const names = Object.keys(node?.inputs ?? {});
      if (node && names.length > 0) node.inputs[names[draw(names.length)]!] = odd[draw(odd.length)];
      if (draw(5) === 0) Object.assign(nodes, { [ids[draw(ids.length)]!]: odd[draw(odd.length)] });
    }
    readMetadata({ prompt: JSON.stringify(nodes) });
    const value = odd[i % odd.length];
    const said = { prompt: value, uc: value, sampler: value, seed: value, scheduler: value };
    const others = { image: { ...said, steps: value }, model: value, base_model: value };
    const text = JSON.stringify({
      ...said,
      ...others,
      resolution: value,
      format: 1,
      settings: said,
    });
    const own = { format: 1, settings: { ...said, prompt: "x" }, model: { path: "x" } };
    readMetadata({ latent: JSON.stringify({ ...own, pictures: {}, omitted: [] }) });
    for (const keyword of ["parameters", "Comment", "invokeai_metadata", "sd-metadata", "latent"]) {
      readMetadata({ [keyword]: text });
    }
    readMetadata({ parameters: A1111.slice(draw(A1111.length), draw(A1111.length)) });
  }
});
