/**
 * The machine: processor, memory, graphics.
 *
 * @module
 */

import { chooseThreads, type ProcessorLimit, processorLimit, type ThreadChoice } from "../mod.ts";

/** What is known of the machine; what cannot be found out is absent. */
export interface MachineReport {
  readonly os: string;
  readonly arch: string;
  /** The processor's name. */
  readonly processor?: string;
  /** Those of its vector instructions that ONNX Runtime's kernels choose by. */
  readonly features: readonly string[];
  /** Processors that the system offers. */
  readonly threads: number;
  /** What this process may use of them, and the threads that an operator has therefore. */
  readonly limit?: ProcessorLimit;
  readonly choice: ThreadChoice;
  /** In bytes. */
  readonly memory?: { readonly total: number; readonly available: number };
  /** One line a graphics card. */
  readonly graphics: readonly string[];
}

/** As /proc/cpuinfo and sysctl spell them. */
const FEATURES = [
  ...["sse4_1", "avx", "avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16"],
  ...["avx512_fp16", "amx_tile", "amx_bf16", "amx_int8", "asimd", "asimdhp", "asimddp", "i8mm"],
  ...["bf16", "sve", "sme"],
];

/** PCI's numbers of the makers of graphics cards. */
const VENDORS: Readonly<Record<string, string>> = {
  "0x10de": "NVIDIA",
  "0x1002": "AMD",
  "0x8086": "Intel",
};

/** Looks at the machine. Never throws: a system that hides something has less to tell. */
export async function machineReport(): Promise<MachineReport> {
  const { processor, features } = await processorOf();
  const memory = attempt(() => Deno.systemMemoryInfo()), limit = processorLimit();
  return {
    os: `${Deno.build.os} ${attempt(() => Deno.osRelease()) ?? ""}`.trim(),
    arch: Deno.build.arch,
    ...(processor !== undefined && { processor }),
    features,
    threads: navigator.hardwareConcurrency,
    ...(limit && { limit }),
    choice: chooseThreads(undefined, limit),
    ...(memory && { memory: { total: memory.total, available: memory.available } }),
    graphics: await graphicsOf(),
  };
}

async function processorOf(): Promise<{ processor?: string | undefined; features: string[] }> {
  if (Deno.build.os === "linux") {
    const text = attempt(() => Deno.readTextFileSync("/proc/cpuinfo")) ?? "";
    const field = (name: RegExp) => text.split("\n").find((line) => name.test(line))?.split(":")[1];
    const words = new Set(field(/^(flags|Features)\s*:/)?.trim().split(/\s+/));
    const features = FEATURES.filter((feature) => words.has(feature));
    return { processor: field(/^model name\s*:/)?.trim(), features };
  }
  if (Deno.build.os === "darwin") {
    const all = await outputOf("sysctl", ["-a"]) ?? "";
    const features = FEATURES.filter((feature) =>
      new RegExp(`^hw\\.optional\\.(?:arm\\.FEAT_)?${feature}: 1$`, "im").test(all)
    );
    return { processor: /^machdep\.cpu\.brand_string: (.*)$/m.exec(all)?.[1], features };
  }
  return { processor: attempt(() => Deno.env.get("PROCESSOR_IDENTIFIER")), features: [] };
}

async function graphicsOf(): Promise<string[]> {
  const query = ["--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"];
  const nvidia = (await outputOf("nvidia-smi", query))?.trim().split("\n").filter(Boolean);
  const cards = attempt(() => [...Deno.readDirSync("/sys/class/drm")]) ?? [];
  const others = cards.filter(({ name }) => /^card\d+$/.test(name)).flatMap(({ name }) => {
    const id = attempt(() => Deno.readTextFileSync(`/sys/class/drm/${name}/device/vendor`))?.trim();
    const vendor = VENDORS[id ?? ""];
    return vendor === undefined || (vendor === "NVIDIA" && nvidia) ? [] : [`${vendor} (${name})`];
  });
  return [...(nvidia ?? []).map((line) => `NVIDIA: ${line}`), ...others];
}

/** What a program of the system prints; undefined where it is not there or may not be run. */
async function outputOf(program: string, args: readonly string[]): Promise<string | undefined> {
  try {
    const { success, stdout } = await new Deno.Command(program, {
      args: [...args],
      stdin: "null",
      stderr: "null",
      signal: AbortSignal.timeout(5000),
    }).output();
    return success ? new TextDecoder().decode(stdout) : undefined;
  } catch {
    return undefined;
  }
}

function attempt<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
