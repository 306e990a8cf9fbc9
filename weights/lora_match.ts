import type { LoraLayer } from "./lora_file.ts";
import { comparableName } from "./lora_names.ts";
import type { LoraNetwork } from "./lora_names.ts";

/**
 * Finds the layers of one network by the names of its weights (`mid_block.attentions.0.proj_in`,
 * without `.weight`). The second list has the layers of that network that fit no name.
 */
export function matchLora(
  layers: readonly LoraLayer[],
  network: LoraNetwork,
  modules: Iterable<string>,
): { matched: Map<string, LoraLayer>; unmatched: LoraLayer[] } {
  const byFlatName = new Map<string, string>();
  for (const module of modules) byFlatName.set(comparableName(module), module);
  const matched = new Map<string, LoraLayer>();
  const unmatched: LoraLayer[] = [];
  for (const layer of layers) {
    if (layer.network !== network) continue;
    const module = byFlatName.get(comparableName(layer.module));
    if (module === undefined || matched.has(module)) unmatched.push(layer);
    else matched.set(module, layer);
  }
  return { matched, unmatched };
}
