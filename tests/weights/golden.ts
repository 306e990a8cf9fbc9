import { strict as assert } from "node:assert";
import { join } from "node:path";
import { toFloat32 } from "../../weights/read.ts";
import type { TensorSource } from "../../weights/stored_tensor.ts";

/** The folder that tests/golden/make_weights.py fills. */
export const GOLDEN = join(import.meta.dirname!, "../golden/weights");

export interface ExpectedFile {
  readonly tensors: Readonly<
    Record<string, { dtype: string; shape: number[]; float32: (number | string)[] }>
  >;
  readonly metadata: Readonly<Record<string, string>>;
}

/** What Python saw in the files, read when a test asks. */
export async function expected<T>(key: string): Promise<T> {
  const text = await Deno.readTextFile(join(GOLDEN, "expected.json"));
  return (JSON.parse(text) as Record<string, T>)[key]!;
}

/** Asserts that `source` has exactly the tensors, values and metadata of a golden file. */
export async function assertEqualsGolden(source: TensorSource, file: string): Promise<void> {
  const { tensors, metadata } = await expected<ExpectedFile>(file);
  assert.deepEqual([...source.names()].sort(), Object.keys(tensors).sort());
  for (const [name, { dtype, shape, float32 }] of Object.entries(tensors)) {
    const tensor = source.get(name)!;
    assert.deepEqual({ name: tensor.name, dtype: tensor.dtype, shape: tensor.shape }, {
      name,
      dtype,
      shape,
    });
    assert.deepEqual([...await toFloat32(tensor)], float32.map(Number), name);
  }
  assert.deepEqual({ ...source.metadata }, metadata);
}
