/**
 * What the doctor found, as data and as text.
 *
 * @module
 */

import type { DeviceSpeed, LibraryReport } from "../mod.ts";
import type { SamplingReport, Trial } from "./doctor_children.ts";
import type { FolderReport } from "./doctor_folders.ts";
import type { MachineReport } from "./doctor_machine.ts";
import { byteSize } from "./progress_bar.ts";

/** One library path of the search, in order. */
export interface CandidateReport {
  readonly path: string;
  /** Whether `generate` would load this one. */
  readonly taken: boolean;
  readonly trial: Trial<LibraryReport>;
}

/** Everything that was found. */
export interface DoctorReport {
  readonly v: 1;
  readonly versions: Readonly<Record<"latent" | "deno" | "v8" | "typescript", string>>;
  readonly compiled: boolean;
  readonly machine: MachineReport;
  readonly libraries: readonly CandidateReport[];
  /** Why no list of libraries could be made. */
  readonly searchFailure?: string;
  readonly folders: readonly FolderReport[];
  readonly sampling: Trial<SamplingReport>;
  /** By address: reachable, or why not; only when asked. */
  readonly network?: Readonly<Record<string, string>>;
  readonly advice: readonly string[];
}

/** What to do about what was found. */
export function adviceFor(report: Omit<DoctorReport, "advice">): string[] {
  const advice: string[] = [];
  const taken = report.libraries.find((library) => library.taken)?.trial;
  if (taken === undefined || !("result" in taken)) {
    advice.push(
      "No ONNX Runtime loads: set ORT_DYLIB_PATH to one, or: latent runtime install WHEEL",
    );
  } else {
    const works = (name: string) =>
      taken.result.providers.some((provider) => provider.name === name && provider.works);
    if (report.machine.graphics.some((card) => card.startsWith("NVIDIA")) && !works("cuda")) {
      advice.push(
        "There is an NVIDIA card but no CUDA provider: latent runtime install onnxruntime_gpu-*.whl",
      );
    }
    if (report.machine.features.includes("amx_bf16")) {
      const flags = "--provider openvino --precision bfloat16";
      advice.push(
        works("openvino")
          ? `This processor multiplies bfloat16 fast: ${flags}`
          : "This processor multiplies bfloat16 fast: latent runtime install " +
            `onnxruntime_openvino-*.whl, then ${flags}`,
      );
    }
  }
  for (const { purpose, path, problem } of report.folders) {
    if (problem === undefined) continue;
    const variable = purpose === "hub" ? "HF_HOME" : "LATENT_CACHE";
    advice.push(`${path ?? "A cache folder"} cannot be written: set ${variable} to one that can`);
  }
  const { memory } = report.machine;
  if (memory && memory.available < 4e9) {
    advice.push("Less than 4 GB of memory is free: enough for the embedded model, not for SDXL");
  }
  if ("failure" in report.sampling) advice.push(`Sampling failed: ${report.sampling.failure}`);
  return advice;
}

/** Whether the program can draw. */
export function isHealthy({ sampling }: DoctorReport): boolean {
  return "result" in sampling;
}

/** The report as text, a finding a line. */
export function textOf(report: DoctorReport): string {
  const { versions, machine } = report, { memory } = machine;
  const lines = [
    `latent ${versions.latent}, Deno ${versions.deno}${report.compiled ? " (compiled)" : ""}, ` +
    `V8 ${versions.v8}`,
    "",
    "Machine",
    `  ${machine.os} ${machine.arch}, ${machine.threads} threads`,
    `  ${threadLine(machine)}`,
    `  ${machine.processor ?? "unknown processor"}: ${machine.features.join(" ") || "-"}`,
    ...(memory
      ? [`  memory ${byteSize(memory.total)}, ${byteSize(memory.available)} available`]
      : []),
    ...(machine.graphics.length > 0 ? machine.graphics : ["no graphics card found"])
      .map((card) => `  ${card}`),
    "",
    "ONNX Runtime",
    ...(report.searchFailure ? [`  ${report.searchFailure}`] : []),
    ...report.libraries.flatMap(libraryLines),
    "",
    "Folders",
    ...report.folders.map(({ purpose, path, bytes, problem }) =>
      `  ${purpose.padEnd(9)}${path ?? "-"}  ${byteSize(bytes)}${problem ? `  ${problem}` : ""}`
    ),
    "",
    "Sampling",
    `  ${samplingLine(report.sampling)}`,
    ...(report.network
      ? ["", "Network", ...Object.entries(report.network).map(([url, how]) => `  ${url}: ${how}`)]
      : []),
    "",
    "Advice",
    ...(report.advice.length > 0 ? report.advice : ["Nothing to do."]).map((line) => `  ${line}`),
  ];
  return lines.map((line) => line.replaceAll(/[\x00-\x1f\x7f]+/g, " ")).join("\n");
}

/** What an operator is computed with, and why. */
function threadLine({ limit, choice: { threads = limit?.cores, spinning, why } }: MachineReport) {
  const count = threads === undefined ? "one for each core" : String(threads);
  return `threads of an operator: ${count}${spinning ? "" : ", without spinning"} (${why})`;
}

function libraryLines({ path, taken, trial }: CandidateReport): string[] {
  if ("failure" in trial) return [`  -  ${path}`, `       ${trial.failure}`];
  const { version, providers, devices } = trial.result;
  return [
    `  ${taken ? "*" : "-"}  ${path}`,
    `       ${version}, ${taken ? "taken" : "not taken: one before it loads"}`,
    ...(taken
      ? [
        ...providers.map(({ name, works, reason, speed }) =>
          `       ${name.padEnd(9)}${works ? `works${speed ? speedText(speed) : ""}` : reason}`
        ),
        ...devices.map((device) => `       device   ${device}`),
      ]
      : []),
  ];
}

function speedText({ multiplyAdds, bytes }: DeviceSpeed): string {
  const [products, memory] = [multiplyAdds, bytes].map((each) => (each / 1e9).toFixed(0));
  return `: ${products} billion multiply-adds a second (float32), memory ${memory} GB/s`;
}

function samplingLine(sampling: Trial<SamplingReport>): string {
  if ("failure" in sampling) return sampling.failure;
  const { firstStepSeconds, stepsPerSecond } = sampling.result;
  return `embedded model: first step after ${firstStepSeconds.toFixed(2)} s, then ` +
    `${stepsPerSecond.toFixed(1)} steps/s`;
}
