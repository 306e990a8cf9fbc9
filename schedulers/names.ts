/**
 * Schedulers by every name that users know them by.
 * @module
 */
import { editDistance } from "./edit_distance.ts";
import { RECIPES, type SchedulerName } from "./recipes/all.ts";
import type { Settings } from "./settings.ts";

/** A scheduler found by one of its names, and what the name says about its options. */
export interface NamedScheduler {
  /** The class it is of. */
  readonly name: SchedulerName;
  /** Options that the name implies. */
  readonly overrides: Partial<Settings>;
}

type Alias = readonly [SchedulerName, Partial<Settings>?];

const SDE = { algorithmType: "sde-dpmsolver++" } as const;

/**
 * Sampler names of A1111, ComfyUI and stable-diffusion.cpp, in the spelling that `normalise` makes
 * of them: lower case letters and digits, "pp" for "++".
 */
const ALIASES: Record<string, Alias> = {
  euler: ["EulerDiscreteScheduler"],
  eulera: ["EulerAncestralDiscreteScheduler"],
  eulerancestral: ["EulerAncestralDiscreteScheduler"],
  heun: ["HeunDiscreteScheduler"],
  lms: ["LMSDiscreteScheduler"],
  dpm2: ["KDPM2DiscreteScheduler"],
  dpm2a: ["KDPM2AncestralDiscreteScheduler"],
  dpm2ancestral: ["KDPM2AncestralDiscreteScheduler"],
  dpmpp1s: ["DPMSolverSinglestepScheduler", { solverOrder: 1 }],
  dpmpp2s: ["DPMSolverSinglestepScheduler"],
  dpmpp3s: ["DPMSolverSinglestepScheduler", { solverOrder: 3 }],
  dpmpp2sa: ["DPMPP2SAncestral"],
  dpmpp2sancestral: ["DPMPP2SAncestral"],
  dpmpp2m: ["DPMSolverMultistepScheduler"],
  // The refined exponential solver's two-step form has the same weights.
  resmultistep: ["DPMSolverMultistepScheduler", { solverType: "heun" }],
  dpmpp2msde: ["DPMSolverMultistepScheduler", SDE],
  dpmpp2msdegpu: ["DPMSolverMultistepScheduler", SDE],
  dpmpp2msdeheun: ["DPMSolverMultistepScheduler", { ...SDE, solverType: "heun" }],
  dpmpp2msdeheungpu: ["DPMSolverMultistepScheduler", { ...SDE, solverType: "heun" }],
  dpmpp3m: ["DPMSolverMultistepScheduler", { solverOrder: 3 }],
  dpmpp3msde: ["DPMPP3MSDE"],
  dpmpp3msdegpu: ["DPMPP3MSDE"],
  dpmppsde: ["DPMSolverSDEScheduler"],
  dpmppsdegpu: ["DPMSolverSDEScheduler"],
  dpmadaptive: ["DPMAdaptive"],
  restart: ["Restart"],
  ddim: ["DDIMScheduler"],
  ddimtrailing: ["DDIMScheduler", { timestepSpacing: "trailing" }],
  ddpm: ["DDPMScheduler"],
  pndm: ["PNDMScheduler"],
  plms: ["PNDMScheduler", { skipPrkSteps: true }],
  unipc: ["UniPCMultistepScheduler"],
  unipcbh1: ["UniPCMultistepScheduler", { solverType: "bh1" }],
  unipcbh2: ["UniPCMultistepScheduler", { solverType: "bh2" }],
  deis: ["DEISMultistepScheduler"],
  ipndm: ["IPNDMSigma"],
  heavyball: ["Momentum"],
  nag: ["Nesterov"],
  lcm: ["LCMScheduler"],
  tcd: ["TCDScheduler"],
  // diffusers' short words, as its documentation uses them.
  dpm: ["DPMSolverMultistepScheduler"],
  dpmsolver: ["DPMSolverMultistepScheduler"],
  dpmsolverpp: ["DPMSolverMultistepScheduler"],
  dpmsingle: ["DPMSolverSinglestepScheduler"],
  kdpm2: ["KDPM2DiscreteScheduler"],
  kdpm2a: ["KDPM2AncestralDiscreteScheduler"],
  kdpm2ancestral: ["KDPM2AncestralDiscreteScheduler"],
};

/** Schedule types that A1111 and others append to a sampler's name. */
const SCHEDULES: Record<string, Partial<Settings>> = {
  karras: { sigmaSchedule: "karras" },
  exponential: { sigmaSchedule: "exponential" },
  polyexponential: { sigmaSchedule: "polyexponential" },
  beta: { sigmaSchedule: "beta" },
  simple: { sigmaSchedule: "simple" },
  sgmuniform: { sigmaSchedule: "sgm_uniform" },
  kloptimal: { sigmaSchedule: "kl_optimal" },
  alignyoursteps: { sigmaSchedule: "ays" },
  ays: { sigmaSchedule: "ays" },
  uniform: {},
  normal: {},
  discrete: {},
  automatic: {},
  // InvokeAI's short form.
  k: { sigmaSchedule: "karras" },
};

/** Names that are known to exist elsewhere, with what to do instead. */
const MISSING: Record<string, string> = {
  eulercfgpp: "CFG++ is a kind of guidance, not a sampler: use euler with guidance cfg++",
  sasolver: "SA-Solver is not built: use DPM++ 2M SDE",
};

/**
 * Finds a scheduler: diffusers' class names with or without "Scheduler" and "Discrete", and the
 * names of A1111 ("DPM++ 2M Karras"), ComfyUI (dpmpp_2m_sde) and stable-diffusion.cpp (dpm++2m),
 * in any case and with any separators.
 *
 * Throws RangeError for an unknown name, with the nearest known ones.
 */
export function resolveSchedulerName(asked: string): NamedScheduler {
  const key = normalise(asked);
  const whole = find(key);
  if (whole) return whole;
  for (const [suffix, overrides] of Object.entries(SCHEDULES)) {
    const sampler = key.endsWith(suffix) ? find(key.slice(0, -suffix.length)) : undefined;
    if (sampler) return { name: sampler.name, overrides: { ...sampler.overrides, ...overrides } };
  }
  const reason = MISSING[key] ?? `no sampler has that name; nearest: ${nearest(key).join(", ")}`;
  throw new RangeError(
    `Cannot choose scheduler "${asked}": ${reason}. Known are: ${knownNames().join(", ")}.`,
  );
}

/** One name for each scheduler, for lists and messages. */
export function knownNames(): string[] {
  return Object.keys(RECIPES).map((name) => name.replace(/(Discrete)?Scheduler$/, ""));
}

function find(key: string): NamedScheduler | undefined {
  const name = BY_CLASS.get(key);
  if (name) return { name, overrides: {} };
  // "k_euler" is how k-diffusion's samplers were first called.
  const known = [key, key.replace(/^k/, "")].find((form) => Object.hasOwn(ALIASES, form));
  if (known === undefined) return undefined;
  const [scheduler, overrides = {}] = ALIASES[known]!;
  return { name: scheduler, overrides };
}

/** Class names in all their shorter forms. */
const BY_CLASS: ReadonlyMap<string, SchedulerName> = new Map(
  (Object.keys(RECIPES) as SchedulerName[]).flatMap((name) => {
    const short = name.replace(/Scheduler$/, "");
    const forms = [name, short, short.replace("Discrete", ""), short.replace("Multistep", "")];
    return forms.map((form) => [normalise(form), name] as const);
  }),
);

function normalise(name: string): string {
  return name.toLowerCase().replaceAll("++", "pp").replace(/[^a-z0-9]/g, "");
}

/** The known names with the fewest changed letters, at most four. */
function nearest(key: string): string[] {
  const known = [...Object.keys(ALIASES), ...knownNames()];
  const scored = known.map((name) => ({ name, distance: editDistance(key, normalise(name)) }));
  return scored.sort((a, b) => a.distance - b.distance).slice(0, 4).map(({ name }) => name);
}
