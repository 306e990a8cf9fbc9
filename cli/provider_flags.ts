/**
 * Execution providers on the command line.
 *
 * @module
 */

import { cpu, cuda, openvino, type Provider, tensorrt, tensorrtRtx, webgpu } from "../mod.ts";
import { type FlagTable, type FlagValues, UsageError } from "./flags.ts";

/** Those that have a number for each GPU. */
const NUMBERED = { cuda, tensorrt, "tensorrt-rtx": tensorrtRtx } as const;
const OTHERS = { openvino, webgpu } as const;
const NAMES = ["cpu", ...Object.keys(NUMBERED), ...Object.keys(OTHERS)];

/** Flags that say what computes. */
export const PROVIDER_FLAGS = {
  provider: {
    kind: "list",
    value: "NAME",
    suggests: NAMES,
    help: `execution provider: ${NAMES.join(", ")}; repeat for fallbacks (cpu)`,
  },
  device: { kind: "integer", range: [0, 255], value: "N", help: "which GPU (0)" },
  "provider-option": {
    kind: "list",
    value: "NAME=VALUE",
    help: "option of the first provider, by the name in its documentation; may repeat",
  },
} as const satisfies FlagTable;

/** The providers as data. @throws {UsageError} for an unknown name, or an option of none. */
export function providersOf(flags: Partial<FlagValues<typeof PROVIDER_FLAGS>>): Provider[] {
  const names = (flags.provider ?? ["cpu"]).flatMap((each) => each.split(","));
  const extra = optionsOf(flags["provider-option"] ?? []);
  if (names[0] === "cpu" && Object.keys(extra).length > 0) {
    throw new UsageError("--provider-option needs --provider: the processor has no options.");
  }
  if (flags.device !== undefined && !names.some((name) => Object.hasOwn(NUMBERED, name))) {
    throw new UsageError(
      `--device numbers GPUs; give --provider ${Object.keys(NUMBERED).join(" or ")}.`,
    );
  }
  return names.map((name, i) => providerOf(name, flags.device, i === 0 ? extra : {}));
}

function providerOf(
  name: string,
  device: bigint | undefined,
  extra: Readonly<Record<string, string>>,
): Provider {
  if (Object.hasOwn(NUMBERED, name)) {
    const deviceId = device === undefined ? {} : { deviceId: Number(device) };
    return NUMBERED[name as keyof typeof NUMBERED]({ ...deviceId, extra });
  }
  if (Object.hasOwn(OTHERS, name)) return OTHERS[name as keyof typeof OTHERS]({ extra });
  if (name === "cpu") return cpu();
  throw new UsageError(`--provider takes ${NAMES.join(", ")}; got "${name}".`);
}

function optionsOf(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(texts.map((text) => {
    const at = text.indexOf("=");
    if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
    throw new UsageError(`--provider-option takes NAME=VALUE; got "${text}".`);
  }));
}
