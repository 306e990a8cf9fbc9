/**
 * ComfyUI's text `prompt`: the graph of nodes that ran, as JSON. The sampler says most; its links
 * lead to the prompts, the size and the model.
 *
 * @module
 */

import type { Findings } from "./metadata.ts";
import { isObject, numberOf, parseObject, seedOf, textOf } from "./metadata_json.ts";

interface Node {
  readonly id: string;
  readonly type: string;
  readonly inputs: Readonly<Record<string, unknown>>;
}

/** Links from a picture towards its sampler, and from one sampler to the one before. */
const TOWARDS_SAMPLER = ["images", "image", "samples", "latent_image", "latent", "pixels"];
const TOWARDS_MODEL = ["model", "unet", "clip"];
/** Names under which nodes hold the one value that they are for. */
const VALUES = ["value", "text", "string", "int", "float", "seed", "noise_seed", "Text", "prompt"];

/** Reads the graph; undefined if there is none or no sampler in it. */
export function readComfyUi(texts: Readonly<Record<string, string>>): Findings | undefined {
  const json = parseObject(texts.prompt);
  if (json === undefined) return undefined;
  const graph = new Graph(json);
  const samplers = graph.samplers();
  const sampler = samplers.at(-1); // the one whose latents are empty: it made the picture
  if (sampler === undefined) return undefined;
  const find = (name: string, links: readonly string[]) =>
    graph.search(sampler, links, (node) => name in node.inputs)?.inputs[name];
  const value = (...names: string[]) => graph.settingOf(sampler, names);
  const latent = graph.search(sampler, TOWARDS_SAMPLER, ({ inputs }) => "width" in inputs);
  const layer = numberOf(graph.value(graph.clipLayer(sampler)));
  const loras = graph.all().filter(({ inputs }) => "lora_name" in inputs);
  const denoise = numberOf(value("denoise")) ?? 1;
  return {
    source: "comfyui",
    prompt: graph.promptOf(sampler, "positive"),
    negativePrompt: graph.promptOf(sampler, "negative"),
    seed: seedOf(value("seed", "noise_seed")),
    steps: numberOf(value("steps")),
    scheduler: textOf(value("sampler_name")),
    sigmaSchedule: textOf(value("scheduler")),
    guidanceScale: numberOf(value("cfg")),
    width: numberOf(latent && graph.value(latent.inputs.width)),
    height: numberOf(latent && graph.value(latent.inputs.height)),
    clipSkip: layer === undefined ? undefined : -1 - layer,
    model: textOf(find("ckpt_name", TOWARDS_MODEL) ?? find("unet_name", TOWARDS_MODEL)),
    rng: "cpu",
    extra: Object.fromEntries(
      loras.map(({ inputs }) => [
        `LoRA ${textOf(graph.value(inputs.lora_name))}`,
        textOf(graph.value(inputs.strength_model)) ?? "1",
      ]),
    ),
    warnings: [
      ...(samplers.length > 1
        ? [`the graph has ${samplers.length} samplers in a row; this is the first one`]
        : []),
      ...(denoise < 1 ? [`the run began in a picture (denoise ${denoise}): give it again`] : []),
      ...loras.map(({ inputs }) => `the LoRA ${textOf(inputs.lora_name)} is not repeated`),
      ...(graph.has(/ControlNet|IPAdapter|HyperTile|FreeU/)
        ? ["the graph has nodes such as ControlNet that are not repeated"]
        : []),
    ],
  };
}

class Graph {
  readonly #nodes = new Map<string, Node>();

  constructor(json: Readonly<Record<string, unknown>>) {
    for (const [id, node] of Object.entries(json)) {
      if (!isObject(node) || !isObject(node.inputs)) continue;
      this.#nodes.set(id, { id, type: textOf(node.class_type) ?? "", inputs: node.inputs });
    }
  }

  all(): Node[] {
    return [...this.#nodes.values()];
  }

  has(type: RegExp): boolean {
    return this.all().some((node) => type.test(node.type));
  }

  /** The node that an input is linked to: a link is `[id, output]`. */
  linked(input: unknown): Node | undefined {
    return Array.isArray(input) ? this.#nodes.get(String(input[0])) : undefined;
  }

  /** A value as it stands, or of the node that it is linked to. */
  value(input: unknown, depth = 0): unknown {
    if (!Array.isArray(input)) return input;
    const node = this.linked(input);
    if (node === undefined || depth > 20) return undefined;
    for (const name of VALUES) {
      if (name in node.inputs) return this.value(node.inputs[name], depth + 1);
    }
    return undefined;
  }

  /** Samplers from the saved picture backwards, the last one to run first. */
  samplers(): Node[] {
    const isSampler = ({ inputs }: Node) => "latent_image" in inputs;
    const saved = this.all().filter(({ type }) => /^(Save|Preview)/.test(type));
    for (const end of [...saved, ...this.all().filter(isSampler)]) {
      const found = isSampler(end) ? [end] : [];
      for (;;) {
        const isNew = (node: Node) => isSampler(node) && !found.includes(node);
        const next = this.search(found.at(-1) ?? end, TOWARDS_SAMPLER, isNew);
        if (next === undefined) break;
        found.push(next);
      }
      if (found.length > 0) return found;
    }
    return [];
  }

  /** A sampler's setting: its own, or that of a node which only serves it (custom samplers). */
  settingOf(sampler: Node, names: readonly string[]): unknown {
    const parts = ["noise", "sampler", "sigmas", "guider"].map((name) =>
      this.linked(sampler.inputs[name])
    );
    for (const node of [sampler, ...parts]) {
      const name = node && names.find((name) => name in node.inputs);
      if (node && name) return this.value(node.inputs[name]);
    }
    return undefined;
  }

  /** The layer at which the text encoder of the sampler's prompt stops: -1 is the last one. */
  clipLayer(sampler: Node): unknown {
    const links = ["positive", "conditioning", "guider", "clip"];
    const node = this.search(sampler, links, ({ inputs }) => "stop_at_clip_layer" in inputs);
    return node?.inputs.stop_at_clip_layer;
  }

  /** The text under a sampler's positive or negative input. */
  promptOf(sampler: Node, side: "positive" | "negative"): string {
    const guider = this.linked(sampler.inputs.guider);
    const link = sampler.inputs[side] ?? guider?.inputs[side] ??
      (side === "positive" ? guider?.inputs.conditioning : undefined);
    return this.#texts(this.linked(link), side, new Set()).join(", ");
  }

  #texts(node: Node | undefined, side: string, seen: Set<Node>): string[] {
    if (node === undefined || seen.has(node) || node.type === "ConditioningZeroOut") return [];
    seen.add(node);
    const { inputs } = node;
    const own = ["text", "text_g", "text_l", "prompt", `${side}_prompt`, side]
      .map((name) => name in inputs ? textOf(this.value(inputs[name])) : undefined)
      .filter((text) => text !== undefined);
    if (own.length > 0) return [...new Set(own)];
    const links = Object.entries(inputs)
      .filter(([name]) => name === side || name.startsWith("conditioning"))
      .map(([, input]) => this.linked(input));
    return links.flatMap((next) => this.#texts(next, side, seen));
  }

  /** The nearest node of a kind along links of these names; `from` itself does not count. */
  search(
    from: Node,
    links: readonly string[],
    isWanted: (node: Node) => boolean,
  ): Node | undefined {
    const seen = new Set([from]), queue = [from];
    for (let node = queue.shift(); node; node = queue.shift()) {
      if (node !== from && isWanted(node)) return node;
      for (const name of links) {
        const next = this.linked(node.inputs[name]);
        if (next && !seen.has(next)) {
          seen.add(next);
          queue.push(next);
        }
      }
    }
    return undefined;
  }
}
