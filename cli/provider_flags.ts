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
  device: {
    kind: "text",
    value: "N[,N]",
    help: "which GPU (0); with several, generate draws on each of them",
  },
  "provider-option": {
    kind: "list",
    value: "NAME=VALUE",
    help: "option of the first provider, by the name in its documentation; may repeat",
  },
  threads: {
    kind: "integer",
    range: [1, 1024],
    help: "of an operator on the processor (one a core, of those that a container may use)",
  },
} as const satisfies FlagTable;

type ProviderFlags = Partial<FlagValues<typeof PROVIDER_FLAGS>>;

/** The providers of each of the devices. @throws {UsageError} as {@linkcode providersOf}. */
export function devicesOf(flags: ProviderFlags): Provider[][] {
  const numbers = flags.device?.split(",");
  if (!numbers) return [providersOf(flags)];
  if (new Set(numbers).size === numbers.length) {
    return numbers.map((device) => providersOf({ ...flags, device }));
  }
  throw new UsageError(`--device names each GPU once; got "${flags.device}".`);
}

/**
 * The providers as data.
 *
 * @throws {UsageError} for an unknown name, an option of none, or several devices.
 */
export function providersOf(flags: ProviderFlags): Provider[] {
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
  const device = deviceOf(flags.device);
  return names.map((name, i) => providerOf(name, device, i === 0 ? extra : {}));
}

/** The number of one GPU. */
function deviceOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,3}$/.test(text)) return Number(text);
  throw new UsageError(
    /^[\d,]+$/.test(text)
      ? `Only generate draws on several devices; got --device ${text}.`
      : `--device takes the number of a GPU; got "${text}".`,
  );
}

function providerOf(
  name: string,
  device: number | undefined,
  extra: Readonly<Record<string, string>>,
): Provider {
  if (Object.hasOwn(NUMBERED, name)) {
    const deviceId = device === undefined ? {} : { deviceId: device };
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
