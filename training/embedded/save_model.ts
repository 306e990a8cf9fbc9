/** The finished model as a folder of its own. */
import { join } from "node:path";
import { toFloat16 } from "../../weights/read.ts";
import { openSafetensors } from "../../weights/safetensors.ts";
import { writeSafetensors } from "../../weights/safetensors_write.ts";
import { tensorInMemory } from "../../weights/stored_tensor.ts";
import { folderWhole } from "../output.ts";

const EXTENSION = ".safetensors";

/**
 * Copies the diffusers folder `from` to `to`, which appears when it is whole. With `half`, networks
 * become float16 under names of the variant `fp16`; the pair's small shared file stays float32.
 */
export async function saveModel(
  from: string,
  to: string,
  { half }: { readonly half: boolean },
): Promise<void> {
  await folderWhole(to, (beside) => copy(from, beside, half));
}

async function copy(from: string, to: string, half: boolean): Promise<void> {
  await Deno.mkdir(to);
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    const source = join(from, name), target = join(to, name);
    if (isDirectory) await copy(source, target, half && name !== "clip");
    else if (half && name.endsWith(EXTENSION)) {
      await writeHalf(source, `${target.slice(0, -EXTENSION.length)}.fp16${EXTENSION}`);
    } else await Deno.copyFile(source, target);
  }
}

async function writeHalf(from: string, to: string): Promise<void> {
  const source = await openSafetensors(from);
  const tensors = [...source.names()].map(async (name) => {
    const stored = source.get(name)!;
    return tensorInMemory(name, "F16", stored.shape, await toFloat16(stored));
  });
  await writeSafetensors(to, await Promise.all(tensors), { metadata: source.metadata });
}
