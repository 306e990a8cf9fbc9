/** Reads tests/golden/schedulers and measures distances from it. */
import { gunzipSync } from "node:zlib";
import type { PlanRequest, SchedulerOverrides } from "../../schedulers/scheduler.ts";

/** One recorded run of a scheduler of diffusers. */
export interface GoldenCase {
  readonly name: string;
  readonly config: Record<string, unknown>;
  readonly request: PlanRequest;
  readonly overrides: SchedulerOverrides;
  readonly timesteps: Float32Array;
  readonly sigmas?: Float32Array;
  readonly initial: number;
  /** The sample before the run and after each call (churned runs: at the end alone). */
  readonly latents: readonly Float32Array[];
  readonly draws: number;
}

interface RawCase {
  readonly name: string;
  readonly config: Record<string, unknown>;
  readonly request: {
    readonly steps?: number;
    readonly timesteps?: number[];
    readonly sigmas?: number[];
    readonly start?: number;
    readonly eta?: number;
    readonly mu?: number;
  };
  readonly overrides?: SchedulerOverrides;
  readonly timesteps: string;
  readonly sigmas?: string;
  readonly initial: number;
  readonly latents: string;
  readonly draws: number;
}

/** The parsed file of one scheduler class, or of the noise tables. */
export async function readGolden<T>(name: string): Promise<T> {
  const url = new URL(`../golden/schedulers/${name}.json.gz`, import.meta.url);
  return JSON.parse(new TextDecoder().decode(gunzipSync(await Deno.readFile(url))));
}

/** The recorded runs of a scheduler class. */
export async function goldenCases(name: string): Promise<GoldenCase[]> {
  const { cases } = await readGolden<{ cases: RawCase[] }>(name);
  return cases.map((raw) => {
    const { start, eta, mu, ...request } = raw.request;
    const latents = float32(raw.latents);
    // diffusers' flow schedulers are given sigmas without the final one.
    const flow = name.startsWith("FlowMatch");
    return {
      ...raw,
      request: {
        ...request,
        ...(start === undefined ? {} : { first: start }),
        ...(mu === undefined ? {} : { imageSequenceLength: 256 + (mu - 0.5) / 0.65 * 3840 }),
        ...(flow && request.sigmas ? { sigmas: [...request.sigmas, 0] } : {}),
      },
      overrides: { ...(eta === undefined ? {} : { eta }), ...raw.overrides },
      timesteps: float32(raw.timesteps),
      ...(raw.sigmas ? { sigmas: float32(raw.sigmas) } : {}),
      latents: Array.from(
        { length: latents.length / 16 },
        (_, i) => latents.slice(i * 16, i * 16 + 16),
      ),
    } as GoldenCase;
  });
}

/** Little-endian float32 in base64. */
export function float32(base64: string): Float32Array {
  return new Float32Array(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)).buffer);
}

/**
 * The largest difference between two vectors, in float32 ulps of the larger's largest entry:
 * an entry near zero is judged by the size of its vector.
 */
export function ulpDistance(actual: Float32Array, expected: Float32Array, scale = 0): number {
  let size = scale;
  let difference = 0;
  for (let i = 0; i < expected.length; i++) {
    size = Math.max(size, Math.abs(expected[i]!));
    difference = Math.max(difference, Math.abs(actual[i]! - expected[i]!));
  }
  return difference / (2 ** (Math.floor(Math.log2(size)) - 23));
}
