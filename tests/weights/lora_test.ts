import { strict as assert } from "node:assert";
import { join } from "node:path";
import { loraDelta, mergeLora } from "../../weights/lora_delta.ts";
import { type LoraLayer, readLoraFile } from "../../weights/lora_file.ts";
import { matchLora } from "../../weights/lora_match.ts";
import { loraPlace } from "../../weights/lora_names.ts";
import { ModelFormatError } from "../../weights/model_format_error.ts";
import { openSafetensors } from "../../weights/safetensors.ts";
import { tensorInMemory, tensorSource } from "../../weights/stored_tensor.ts";

const GOLDEN = join(import.meta.dirname!, "../golden/lora");

interface Golden {
  readonly files: Record<string, Record<string, { shape: number[]; delta: number[] }>>;
  readonly merged: {
    readonly base: number[];
    readonly shape: number[];
    readonly half: Record<string, number[]>;
    readonly [module: `unet/${string}`]: number[];
  };
}
const golden = async () =>
  JSON.parse(await Deno.readTextFile(join(GOLDEN, "expected.json"))) as Golden;

const readGolden = async (name: string) =>
  await readLoraFile(await openSafetensors(join(GOLDEN, `${name}.safetensors`)));

function assertClose(actual: Float32Array, expected: readonly number[], what: string): void {
  assert.equal(actual.length, expected.length, what);
  for (const [i, value] of expected.entries()) {
    assert(
      Math.abs(actual[i]! - value) < 1e-5,
      `${what}[${i}]: got ${actual[i]}, expected ${value}`,
    );
  }
}

for (
  const name of [
    "kohya",
    "kohya_sdxl",
    "peft",
    "peft_alpha",
    "diffusers_old",
    "diffusers_2023",
    "lycoris",
    "dora",
  ]
) {
  Deno.test(`readLoraFile and loraDelta give the changes of ${name}, each at its module`, async () => {
    const expected = (await golden()).files[name]!;
    const { layers, unused } = await readGolden(name);
    assert.deepEqual(unused, []);
    assert.equal(layers.length, Object.keys(expected).length);
    const found = new Map<string, LoraLayer>();
    for (const network of ["unet", "text_encoder", "text_encoder_2"] as const) {
      const modules = Object.keys(expected).filter((key) => key.startsWith(`${network}/`))
        .map((key) => key.slice(network.length + 1));
      const { matched, unmatched } = matchLora(layers, network, modules);
      assert.deepEqual(unmatched, []);
      for (const [module, layer] of matched) found.set(`${network}/${module}`, layer);
    }
    assert.deepEqual([...found.keys()].sort(), Object.keys(expected).sort());
    for (const [key, { shape, delta }] of Object.entries(expected)) {
      assertClose(await loraDelta(found.get(key)!, shape), delta, key);
    }
  });
}

Deno.test("mergeLora gives rows and columns DoRA's lengths, as PEFT and LyCORIS do", async () => {
  const { merged } = await golden();
  const { layers } = await readGolden("dora");
  for (const key of ["unet/mid_block.proj", "unet/mid_block.columns"] as const) {
    const { matched } = matchLora(layers, "unet", [key.slice(5)]);
    const layer = matched.get(key.slice(5))!;
    const weight = new Float32Array(merged.base);
    await mergeLora(weight, merged.shape, layer, 1);
    assertClose(weight, merged[key]!, key);
    const half = merged.half[key];
    if (half === undefined) continue;
    const some = new Float32Array(merged.base);
    await mergeLora(some, merged.shape, layer, 0.5);
    assertClose(some, half, `${key} at half strength`);
  }
});

Deno.test("mergeLora adds the change at its strength, and none at 0", async () => {
  const { layers } = await readGolden("peft");
  const [layer] = layers;
  const delta = await loraDelta(layer!, [4, 6]);
  for (const strength of [0, 0.6, -1]) {
    const weight = new Float32Array(24).fill(1);
    await mergeLora(weight, [4, 6], layer!, strength);
    assertClose(weight, [...delta].map((d) => 1 + strength * d), `strength ${strength}`);
  }
});

Deno.test("readLoraFile keeps the file's notes and reports tensors that it does not understand", async () => {
  const { metadata } = await readGolden("kohya");
  assert.equal(metadata["ss_base_model_version"], "sd_v1");
  const one = (name: string) => tensorInMemory(name, "F32", [1, 1], new Float32Array(1));
  const file = await readLoraFile(tensorSource("x", [
    one("unet.conv_in.lora_A.weight"),
    one("unet.conv_in.lora_B.weight"),
    one("lora_unet_conv_in.diff_b"),
    one("bundle_emb.thing.string_to_param.*"),
  ]));
  assert.equal(file.layers.length, 1);
  assert.deepEqual(file.unused, ["lora_unet_conv_in.diff_b", "bundle_emb.thing.string_to_param.*"]);
});

Deno.test("readLoraFile refuses a file without layers, and a layer without a part", async () => {
  const one = (name: string) => tensorInMemory(name, "F32", [1, 1], new Float32Array(1));
  const cases: [names: string[], message: RegExp, key?: string][] = [
    [["conv_in.weight"], /none of its 1 tensors is named like one; got conv_in\.weight/],
    [[], /none of its 0 tensors/],
    [["unet.conv_in.lora_A.weight"], /its up is missing; got down/, "unet.conv_in"],
    [["lora_unet_conv_in.hada_w1_a"], /its hada_w1_b is missing/, "lora_unet_conv_in"],
    [["lora_unet_conv_in.lokr_w1"], /its lokr_w2_a is missing/, "lora_unet_conv_in"],
    [["lora_unet_conv_in.alpha"], /its down is missing/, "lora_unet_conv_in"],
  ];
  for (const [names, message, key] of cases) {
    const error: unknown = await readLoraFile(tensorSource("a.safetensors", names.map(one)))
      .catch((thrown: unknown) => thrown);
    assert(error instanceof ModelFormatError, String(error));
    assert.match(error.message, message);
    assert.equal(error.key, key);
  }
});

Deno.test("loraDelta refuses a layer that does not make the weight's shape", async () => {
  const { layers } = await readGolden("peft");
  await assert.rejects(loraDelta(layers[0]!, [4, 7]), /make 24 elements; expected \[4,7\]/);
});

Deno.test("matchLora reports layers that the network does not have, and two for one module", async () => {
  const { layers } = await readGolden("kohya");
  const { matched, unmatched } = matchLora(layers, "unet", ["conv_in"]);
  assert.equal(matched.size, 0);
  assert.equal(unmatched.length, 3);
  const [first] = layers;
  const twice = matchLora([first!, first!], first!.network, [first!.module]);
  assert.deepEqual([twice.matched.size, twice.unmatched.length], [1, 1]);
});

Deno.test("loraPlace finds text encoders with and without their outermost module", async () => {
  const { layers } = await readGolden("kohya");
  const module = "encoder.layers.0.self_attn.q_proj";
  assert.equal(matchLora(layers, "text_encoder", [module]).matched.size, 1);
  assert.equal(matchLora(layers, "text_encoder", [`text_model.${module}`]).matched.size, 1);
  assert.equal(loraPlace("vae.decoder.conv_in"), undefined);
});
