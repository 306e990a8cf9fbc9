/** Networks that have learned nothing yet: the shapes of one, filled with random numbers. */
import { TorchCpuGenerator } from "../../schedulers/random/torch_cpu.ts";
import {
  elementCount,
  tensorInMemory,
  type TensorSource,
  tensorSource,
} from "../../weights/stored_tensor.ts";
import { derivedSeed } from "../derived_seed.ts";

/** How the matrices of a network begin. */
export type Beginning = "uniform" | "transformer";

/**
 * Weights of the names and shapes of `like`. Norms begin as the identity. `uniform`: matrices,
 * kernels and biases even in +-1/sqrt(inputs), as PyTorch begins linear layers and convolutions.
 * `transformer`: normal with deviation 0.02 for tables and 1/sqrt(inputs) for matrices, halved where
 * a layer adds to its input, and biases zero (about as CLIP begins, arXiv:2103.00020, 2.5).
 */
export function freshWeights(like: TensorSource, seed: number, beginning: Beginning): TensorSource {
  const tensors = [...like.names()].map((name) => {
    const { shape } = like.get(name)!;
    const random = new TorchCpuGenerator(derivedSeed(seed, 0, `weights ${name}`));
    const inputs = inputsOf(name, like);
    const data = beginning === "uniform"
      ? uniform(name, shape, inputs, random)
      : transformer(name, shape, inputs, random);
    return tensorInMemory(name, "F32", shape, data);
  });
  return tensorSource("fresh weights", tensors);
}

/** What residual blocks and transformers of a U-Net add, and its answer, begin as nothing. */
const SILENT = /^((down|up|mid)_blocks?\..*(conv2|proj_out)|conv_out)\.(weight|bias)$/;

/** Norms are told by their names: their shape is that of a bias. */
const isNorm = (name: string) => /norm|layrnorm/.test(name.split(".").slice(-3).join("."));

function uniform(
  name: string,
  shape: readonly number[],
  inputs: number,
  random: TorchCpuGenerator,
): Float32Array {
  const count = elementCount(shape);
  if (shape.length === 1 && isNorm(name)) return constant(name, count);
  if (SILENT.test(name)) return new Float32Array(count);
  const bound = 1 / Math.sqrt(inputs);
  return random.uniform(count).map((u) => bound * (2 * u - 1));
}

function transformer(
  name: string,
  shape: readonly number[],
  inputs: number,
  random: TorchCpuGenerator,
): Float32Array {
  const count = elementCount(shape);
  const isTable = /embedding(\.weight)?$/.test(name);
  if (!isTable && shape.length === 1) return constant(name, count);
  const adds = /(out_proj|fc2)\.weight$/.test(name) ? 0.5 : 1;
  const deviation = isTable && !name.includes("patch") ? 0.02 : adds / Math.sqrt(inputs);
  return random.normal(count).map((z) => z * deviation);
}

/** Ones for a norm's scale, zeros for what is added. */
function constant(name: string, count: number): Float32Array {
  return new Float32Array(count).fill(isNorm(name) && name.endsWith("weight") ? 1 : 0);
}

/** Numbers that one output of a layer is made of; a bias goes with its matrix. */
function inputsOf(name: string, like: TensorSource): number {
  const matrix = like.get(name.replace(/bias$/, "weight")) ?? like.get(name)!;
  return Math.max(1, elementCount(matrix.shape.slice(1)));
}
