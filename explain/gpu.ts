/**
 * `latent explain gpu`: which devices there are, and what they would do.
 *
 * @module
 */

import { cpu, named } from "../ffi/providers.ts";
import { toOnnx } from "../graph/onnx_write.ts";
import { matMul } from "../graph/ops/linalg.ts";
import { input } from "../graph/value.ts";
import { memorySpeed, multiplyAdds } from "../pipeline/device_speed.ts";
import { atLeast, type Report } from "./report.ts";
import type { Laboratory, Topic } from "./topic.ts";

/** What a provider is for, and how it is had. */
const OPTIONS: readonly {
  readonly provider: string;
  readonly flag: string;
  readonly hardware: string;
  readonly needs: string;
}[] = [
  { provider: "CPUExecutionProvider", flag: "cpu", hardware: "every machine", needs: "nothing" },
  {
    provider: "CUDAExecutionProvider",
    flag: "cuda",
    hardware: "NVIDIA",
    needs: "ONNX Runtime for GPU, CUDA 12 or 13, cuDNN 9",
  },
  {
    provider: "TensorrtExecutionProvider",
    flag: "tensorrt",
    hardware: "NVIDIA",
    needs: "as cuda, and TensorRT; builds engines first",
  },
  {
    provider: "OpenVINOExecutionProvider",
    flag: "openvino",
    hardware: "Intel CPU, GPU, NPU",
    needs: "ONNX Runtime with OpenVINO",
  },
  {
    provider: "DmlExecutionProvider",
    flag: "dml",
    hardware: "any on Windows",
    needs: "ONNX Runtime with DirectML",
  },
  {
    provider: "CoreMLExecutionProvider",
    flag: "coreml",
    hardware: "Apple",
    needs: "ONNX Runtime for macOS",
  },
  {
    provider: "MIGraphXExecutionProvider",
    flag: "migraphx",
    hardware: "AMD on Linux",
    needs: "ONNX Runtime with MIGraphX, ROCm",
  },
  {
    provider: "WebGpuExecutionProvider",
    flag: "webgpu",
    hardware: "any, through Vulkan, Metal or D3D12",
    needs: "ONNX Runtime with WebGPU, or its plugin",
  },
];
/** Rows and columns of the matrices that are multiplied to see what the machine does. */
const SIDES = [128, 256, 512, 1024];

async function run(laboratory: Laboratory): Promise<Report> {
  const { runtime, options } = laboratory.builder, built = runtime.providers();
  const [device = cpu()] = options.providers, speeds: [number, number][] = [];
  for (const side of SIDES) {
    laboratory.progress(`multiplying matrices of ${side}`);
    speeds.push([side, multiplyAdds(runtime, device, side)]);
  }
  const best = Math.max(...speeds.map(([, speed]) => speed));
  const bytes = memorySpeed(runtime, device);
  const names = new Set([...built, ...OPTIONS.map(({ provider }) => provider)]);
  return {
    topic: "gpu",
    title: "Devices",
    summary: "A run of Stable Diffusion 1.5 at 512 x 512 multiplies and adds about 340 billion " +
      "times for one call of the U-Net, fifty calls for a picture. A processor does that in " +
      "minutes, a graphics card in seconds. ONNX Runtime reaches each kind of device by an " +
      "execution provider; which ones there are depends on the library that is installed.",
    blocks: [
      {
        kind: "table",
        caption: `ONNX Runtime ${runtime.version} here: what is built in`,
        columns: ["--provider", "here", "hardware", "needs"],
        rows: [...names].map((provider) => {
          const known = OPTIONS.find((option) => option.provider === provider);
          return [
            known?.flag ?? provider,
            built.includes(provider) ? "yes" : "no",
            known?.hardware ?? "",
            known?.needs ?? "",
          ];
        }),
      },
      {
        kind: "table",
        caption: "Devices that its providers offer",
        columns: ["provider", "kind", "maker"],
        rows: devicesOf(laboratory),
      },
      {
        kind: "plot",
        caption: "What this machine does now: multiplying two square matrices",
        x: { label: "side of the matrices", log: true },
        y: { label: "billion multiply-adds a second", log: true },
        series: [{
          name: device.name,
          points: speeds.map(([side, speed]) => [side, speed / 1e9] as const),
        }],
      },
      {
        kind: "text",
        text:
          `At ${(best / 1e9).toFixed(0)} billion a second, one call of SD 1.5's U-Net takes at ` +
          `least ${(340e9 / best).toFixed(1)} s here. Its memory moves ${
            (bytes / 1e9).toFixed(0)
          } GB a ` +
          `second: reading the U-Net's 3.4 GB of weights once takes ${
            (3.4e9 / bytes).toFixed(2)
          } ` +
          `s, which is why half precision and batches help. Rented graphics cards do the whole picture ` +
          "in a few seconds; latent doctor says what is missing to use one that is here.",
      },
    ],
    claims: [
      {
        text: "The CPU is always there",
        holds: built.includes("CPUExecutionProvider"),
        measured: built.join(", "),
      },
      {
        text: "A provider that the library lacks is refused, not replaced in silence",
        ...await refusal(laboratory),
      },
      atLeast(
        "Large matrices are faster for each number than small ones (speed, of the smallest's)",
        best / speeds[0]![1],
        1,
      ),
    ],
    formulas: [{
      text: "multiply-adds of A B = n³;   time ≥ multiply-adds / speed",
      symbols: { "n": "side of the matrices A and B" },
      file: "pipeline/device_speed.ts",
      symbol: "multiplyAdds",
    }],
    papers: [
      "Williams, Waterman, Patterson 2009, Roofline: an Insightful Visual Performance Model",
    ],
  };
}

function devicesOf({ builder: { runtime } }: Laboratory): string[][] {
  return runtime.devices().map(({ provider, hardware, hardwareVendor }) => [
    provider,
    hardware,
    hardwareVendor,
  ]);
}

/** Asks for a provider that cannot be. */
async function refusal(
  { builder: { runtime } }: Laboratory,
): Promise<{ holds: boolean; measured: string }> {
  const x = input("x", "float32", [1, 1]);
  const { bytes } = toOnnx({ inputs: [x], outputs: { y: matMul(x, x) } });
  try {
    using _ = await runtime.loadSession(bytes, {
      providers: [named("NoSuchExecutionProvider")],
    });
    return { holds: false, measured: "it was accepted" };
  } catch (error) {
    return { holds: true, measured: (error as Error).name };
  }
}

/** Which devices there are. */
export const gpu: Topic = { run };
