/**
 * The flags of `latent train embedded`.
 *
 * @module
 */

import { type EmbeddedOptions, STAGE_DEFAULTS as STAGES, type StageName } from "../training/mod.ts";
import { type FlagTable, type FlagValues, UsageError, whole } from "./flags.ts";
import { PROVIDER_FLAGS, providersOf } from "./provider_flags.ts";
import { required, TRAIN_FLAGS } from "./train_flags.ts";

const STAGE_NAMES = Object.keys(STAGES) as StageName[];
/** The stages that have batches: the latents' files are of one size. */
const BATCHED = STAGE_NAMES.filter((name) => name !== "latents");

/** Flags of `latent train embedded`. */
export const EMBEDDED_FLAGS = {
  output: { kind: "text", value: "DIR", short: "o", help: "where the model goes" },
  stage: {
    kind: "list",
    value: "NAME",
    help: `only this stage, repeat for more: ${STAGE_NAMES.join(", ")}`,
  },
  steps: {
    kind: "list",
    value: "STAGE=N",
    help: `a stage's length (${STAGE_NAMES.map((n) => `${n}=${STAGES[n].steps}`).join(" ")})`,
  },
  batch: {
    kind: "list",
    value: "STAGE=N",
    help: `its batch (${BATCHED.map((n) => `${n}=${STAGES[n].batch}`).join(" ")})`,
  },
  team: { kind: "integer", range: [1, 64], help: "copies of the U-Net that train together (2)" },
  half: { kind: "switch", help: "float16 weights, under names of the variant fp16" },
  seed: TRAIN_FLAGS.seed,
  resume: { kind: "switch", help: "go on with what OUTPUT.training has, also with other lengths" },
  "save-every": { kind: "integer", range: [1, 1e7], help: "steps between checkpoints (100)" },
  ...PROVIDER_FLAGS,
  threads: { kind: "integer", range: [1, 1024], help: "of one operator (1)" },
  json: TRAIN_FLAGS.json,
  quiet: TRAIN_FLAGS.quiet,
  verbose: TRAIN_FLAGS.verbose,
  help: TRAIN_FLAGS.help,
} as const satisfies FlagTable;

/** The options of `latent train embedded`. */
export function embeddedOptions(flags: FlagValues<typeof EMBEDDED_FLAGS>): EmbeddedOptions {
  return {
    output: required("output", flags.output),
    only: flags.stage?.map((name) => stageName("stage", name)),
    stages: stageLengths(flags.steps ?? [], flags.batch ?? []),
    team: whole(flags.team),
    half: flags.half,
    seed: whole(flags.seed),
    resume: flags.resume,
    saveEvery: whole(flags["save-every"]),
    threads: whole(flags.threads),
    providers: providersOf(flags),
  };
}

/** From `pair=400` and the like to lengths by stage. */
function stageLengths(
  steps: readonly string[],
  batches: readonly string[],
): NonNullable<EmbeddedOptions["stages"]> {
  const lengths: Partial<Record<StageName, { steps?: number; batch?: number }>> = {};
  const read = (flag: "steps" | "batch", text: string) => {
    const [name, number] = text.split("=", 2) as [string, string | undefined];
    const stage = stageName(flag, name, flag === "batch" ? BATCHED : STAGE_NAMES);
    const value = Number(number);
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new UsageError(`--${flag} takes STAGE=N, N a whole number from 1; got "${text}".`);
    }
    lengths[stage] = { ...lengths[stage], [flag]: value };
  };
  for (const text of steps) read("steps", text);
  for (const text of batches) read("batch", text);
  return lengths;
}

function stageName(flag: string, name: string, stages = STAGE_NAMES): StageName {
  const stage = stages.find((each) => each === name);
  if (stage !== undefined) return stage;
  throw new UsageError(`--${flag} takes the stages ${stages.join(", ")}; got "${name}".`);
}
