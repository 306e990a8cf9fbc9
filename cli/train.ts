/**
 * `latent train`: new words, adapters and models from a folder of pictures.
 *
 * @module
 */

import {
  trainDreambooth,
  type TrainingEvent,
  trainLora,
  trainTextualInversion,
} from "../training/mod.ts";
import { helpOf, nearest, parseFlags, UsageError } from "./flags.ts";
import { withInterrupt } from "./interrupt.ts";
import {
  conceptOptions,
  DREAMBOOTH_FLAGS,
  LORA_FLAGS,
  required,
  TEXTUAL_INVERSION_FLAGS,
  type TRAIN_FLAGS,
  trainingOptions,
  whole,
} from "./train_flags.ts";
import { TrainPage } from "./train_page.ts";
import { trainReport } from "./train_report.ts";

type Events = AsyncGenerator<TrainingEvent, void, void>;

/** A kind of training. */
interface Kind {
  readonly about: string;
  readonly flags: typeof TRAIN_FLAGS;
  readonly example: string;
  /** From arguments to what happens. */
  readonly begin: (args: readonly string[], signal: AbortSignal) => Events;
}

const KINDS: Readonly<Record<string, Kind>> = {
  "textual-inversion": {
    about: "a new word for what the pictures show",
    flags: TEXTUAL_INVERSION_FLAGS,
    example: '--images cats/ --token "<my-cat>" --init-word cat --output my-cat.safetensors',
    begin(args, signal) {
      const { flags } = parseFlags(TEXTUAL_INVERSION_FLAGS, args);
      return trainTextualInversion({
        ...trainingOptions(flags),
        token: required("token", flags.token),
        initWord: required("init-word", flags["init-word"]),
        vectors: whole(flags.vectors),
        prompts: flags.prompt,
        signal,
      });
    },
  },
  lora: {
    about: "an adapter for a subject or a style",
    flags: LORA_FLAGS,
    example: '--images cats/ --prompt "a photo of sks cat" --rank 8 --output my-cat.safetensors',
    begin(args, signal) {
      const { flags } = parseFlags(LORA_FLAGS, args);
      return trainLora({
        ...trainingOptions(flags),
        ...conceptOptions(flags),
        rank: whole(flags.rank),
        alpha: flags.alpha,
        targets: flags.targets,
        names: flags.names,
        signal,
      });
    },
  },
  dreambooth: {
    about: "a whole new model that knows the subject",
    flags: DREAMBOOTH_FLAGS,
    example: '--images cats/ --prompt "a photo of sks cat" --output my-model/',
    begin(args, signal) {
      const { flags } = parseFlags(DREAMBOOTH_FLAGS, args);
      return trainDreambooth({ ...trainingOptions(flags), ...conceptOptions(flags), signal });
    },
  },
};

const HELP = `Usage: latent train KIND [FLAGS]

${Object.entries(KINDS).map(([name, { about }]) => `  ${name.padEnd(20)}${about}`).join("\n")}

  latent train KIND --help    what a kind takes

A checkpoint is kept beside the output; after an interruption, the same command with --resume goes
on as if there had been none.
`;

/** Runs `latent train`. */
export async function train(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === "--help" || name === "-h") {
    console.log(HELP);
    return name === undefined ? 2 : 0;
  }
  const kind = Object.hasOwn(KINDS, name) ? KINDS[name] : undefined;
  if (!kind) {
    const near = nearest(name, Object.keys(KINDS));
    const hint = near.length > 0 ? ` Did you mean ${near.join(" or ")}?` : "";
    throw new UsageError(`Unknown kind of training ${JSON.stringify(name)}.${hint}`);
  }
  const { flags, positionals } = parseFlags(kind.flags, rest);
  if (flags.help) {
    console.log(`Usage: latent train ${name} ${kind.example}\n\n${helpOf(kind.flags)}`);
    return 0;
  }
  if (positionals.length > 0) {
    throw new UsageError(`latent train ${name} takes flags only; got "${positionals[0]}".`);
  }
  const report = trainReport({ json: flags.json, quiet: flags.quiet });
  const page = flags.report === undefined ? undefined : new TrainPage(name, flags);
  return await withInterrupt(async (signal) => {
    try {
      for await (const event of kind.begin(rest, signal)) {
        report.hear(event);
        page?.hear(event);
      }
      page?.finish();
    } finally {
      report.end();
      // A run that stops early is the one whose curve is wanted most.
      if (flags.report !== undefined) await page?.write(flags.report);
    }
    return 0;
  });
}
