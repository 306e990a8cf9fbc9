import { pointerIn, pointersAt, textAt } from "./memory.ts";
import type { Native } from "./native.ts";

/** A piece of hardware together with a provider that can use it. */
export interface EpDevice {
  /** The provider's name. */
  readonly provider: string;
  /** Who made the provider. */
  readonly vendor: string;
  /** What kind of hardware it is. */
  readonly hardware: "cpu" | "gpu" | "npu" | "unknown";
  /** Who made the hardware. */
  readonly hardwareVendor: string;
  /** What the system knows of the hardware, and what the provider says. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The library's own object, valid as long as the library is. */
  readonly pointer: Deno.PointerObject;
}

/** `enum OrtHardwareDeviceType`. */
const HARDWARE = ["cpu", "gpu", "npu"] as const;

/** Lists the devices of the providers built in and registered. */
export function readDevices(native: Native): EpDevice[] {
  const { api } = native;
  const out = new BigUint64Array(1);
  const count = native.number("GetEpDevices", native.environment.pointer, out);
  return pointersAt(pointerIn(out), count).map((pointer) => {
    const hardware = api.EpDevice_Device(pointer);
    return {
      pointer,
      provider: textAt(api.EpDevice_EpName(pointer)),
      vendor: textAt(api.EpDevice_EpVendor(pointer)),
      hardware: HARDWARE[api.HardwareDevice_Type(hardware)] ?? "unknown",
      hardwareVendor: textAt(api.HardwareDevice_Vendor(hardware)),
      metadata: {
        ...readPairs(native, api.HardwareDevice_Metadata(hardware)),
        ...readPairs(native, api.EpDevice_EpMetadata(pointer)),
      },
    };
  });
}

function readPairs(native: Native, pairs: Deno.PointerValue): Record<string, string> {
  if (pairs === null) return {};
  const keys = new BigUint64Array(1), values = new BigUint64Array(1);
  const count = new BigUint64Array(1);
  native.api.GetKeyValuePairs(pairs, keys, values, count);
  const names = pointersAt(pointerIn(keys), Number(count[0])).map(textAt);
  const texts = pointersAt(pointerIn(values), Number(count[0])).map(textAt);
  return Object.fromEntries(names.map((name, i) => [name, texts[i] ?? ""]));
}
