/**
 * `latent models`: the models of the Hub that are on this machine.
 *
 * @module
 */

import { cachedModels, fetchModel, hubCacheFolder, isHubId } from "../mod.ts";
import { type FlagTable, parseFlags, UsageError } from "./flags.ts";
import { GENERATE_FLAGS } from "./generate_flags.ts";
import { withInterrupt } from "./interrupt.ts";
import { helpText, type Page } from "./page.ts";
import { progressTo } from "./progress.ts";
import { byteSize } from "./progress_bar.ts";
import { print } from "./standard_output.ts";

const { variant, json, quiet, verbose, help } = GENERATE_FLAGS;
const MODELS_FLAGS = { variant, json, quiet, verbose, help } as const satisfies FlagTable;

/** Help of `latent models`. */
export const MODELS_PAGE: Page = {
  usage: "models [list | pull NAME | remove NAME] [FLAGS]",
  text: ["Lists, fetches and removes models in the cache that all Hugging Face tools share."],
  examples: [
    "latent models",
    "latent models list --json | jq -r .name",
    "latent models pull stable-diffusion-v1-5/stable-diffusion-v1-5 --variant fp16",
    "latent models remove stable-diffusion-v1-5/stable-diffusion-v1-5",
  ],
  flags: MODELS_FLAGS,
  words: [["list", "pull", "remove"], "text"],
};

/** Runs `latent models`. */
export async function models(args: readonly string[]): Promise<number> {
  const { flags, positionals: [verb = "list", name, ...more] } = parseFlags(MODELS_FLAGS, args);
  if (flags.help) {
    print(helpText(MODELS_PAGE));
    return 0;
  }
  if (more.length > 0) throw new UsageError("One model at a time.");
  const cache = hubCacheFolder(Deno.env.toObject());
  if (verb === "list" && name === undefined) return await list(cache, flags.json ?? false);
  if (verb === "list") throw new UsageError(`latent models list takes no name; got "${name}".`);
  if (verb !== "pull" && verb !== "remove") {
    throw new UsageError(`latent models knows list, pull and remove; got ${JSON.stringify(verb)}.`);
  }
  if (name === undefined || !isHubId(name)) {
    const got = name === undefined ? "nothing" : JSON.stringify(name);
    throw new UsageError(`latent models ${verb} takes a name such as owner/name; got ${got}.`);
  }
  return verb === "pull" ? await pull(name, flags) : await remove(cache, name);
}

async function list(cache: string, json: boolean): Promise<number> {
  const found = await cachedModels(cache);
  if (json) {
    for (const model of found) print(JSON.stringify(model));
    return 0;
  }
  if (found.length === 0) console.error(`No models in ${cache}.`);
  for (const { name, bytes, incomplete, revisions } of found) {
    const broken = incomplete > 0 ? `, ${byteSize(incomplete)} of a broken download` : "";
    print(`${name}  ${byteSize(bytes)}${broken}  ${Object.keys(revisions).join(", ")}`);
  }
  return 0;
}

async function pull(
  name: string,
  flags: { readonly variant?: string; readonly quiet?: boolean },
): Promise<number> {
  const progress = progressTo({ quiet: flags.quiet ?? false });
  return await withInterrupt(async (signal) => {
    const folder = await fetchModel(name, {
      variant: flags.variant,
      signal,
      offline: false,
      onProgress: (done, total) => progress.step({ name: "fetching", done, total, unit: "bytes" }),
    });
    progress.end();
    print(folder);
    return 0;
  });
}

async function remove(cache: string, name: string): Promise<number> {
  const found = (await cachedModels(cache)).find((model) => model.name === name);
  if (!found) throw new Error(`Cannot remove ${name}: it is not in ${cache}.`);
  await Deno.remove(found.folder, { recursive: true });
  print(`removed ${name}, ${byteSize(found.bytes + found.incomplete)}`);
  return 0;
}
