/**
 * The manual pages: one of the whole program, and one of each command.
 *
 * @module
 */

import { EVENTS_VERSION } from "./events.ts";
import { type EventWords, RUN_EVENTS, TRAINING_EVENTS } from "./events_about.ts";
import { valueName } from "./flag_help.ts";
import type { Flag } from "./flags.ts";
import {
  escaped,
  item,
  literals,
  paragraph,
  paragraphs,
  section,
  subsection,
  title,
} from "./manual_roff.ts";
import type { Page } from "./page.ts";

/** A command with its page. */
export interface Described {
  readonly name: string;
  readonly about: string;
  readonly page: Page;
}

/** What a page says of the program around it. */
export interface Edition {
  readonly version: string;
  /** `2026-01-31`. */
  readonly date: string;
}

const EXIT_STATUS = {
  "0": "Done.",
  "1": "Failed: one line on standard error says what, why, and what to do.",
  "2": "Wrong usage.",
  "130": "Interrupted, within a step; no half-written file is left.",
  "141": "Whoever read the output has gone.",
};

const ENVIRONMENT = {
  ORT_DYLIB_PATH: "The ONNX Runtime library to use, and no other.",
  LATENT_CACHE:
    "Folder for what is installed, unpacked, fetched or converted once; else latent in " +
    "the user's cache folder.",
  HF_HOME: "Home of the Hub's cache and token; HF_HUB_CACHE names the cache alone.",
  HF_TOKEN: "Access token for models of the Hub that need one.",
  HF_ENDPOINT: "Another server than the Hub's.",
  HF_HUB_OFFLINE: "Open no socket, as with --offline.",
  NO_COLOR: "Show previews without colours.",
  TERM: "With TERM_PROGRAM and COLORTERM: what pictures the terminal can show.",
};

const FILES = {
  "~/.cache/latent":
    "ONNX Runtimes that were installed or unpacked; weights as --precision int8, int4 " +
    "and --convolution winograd take them; and the embedded model of a program that runs from a URL.",
  "~/.cache/huggingface/hub": "Models of the Hub, shared with all Hugging Face tools.",
  "OUTPUT.checkpoint.safetensors": "State of a training beside its output, for --resume.",
};

/** The page of the whole program: latent(1). */
export function programManual(commands: readonly Described[], edition: Edition): string {
  const known = new Set<Flag>();
  return [
    title("latent", edition.version, edition.date),
    section("NAME", "latent \\- Stable Diffusion, from the shell"),
    section("SYNOPSIS", "\\fBlatent\\fR \\fICOMMAND\\fR [\\fIFLAGS\\fR]"),
    section(
      "DESCRIPTION",
      paragraphs([
        "Draws pictures from texts with the weights that people already have: folders of " +
        "diffusers, single files, names on the Hugging Face Hub; or, without any, with an " +
        "embedded model of handwritten digits.",
        "Results go to standard output or to files, messages to standard error. Progress is a " +
        "bar on a terminal and plain lines elsewhere.",
      ]),
    ),
    section("COMMANDS", ...commands.map(({ name, about }) => item(name, "", about))),
    ...commands.map(({ name, page }) => section(escaped(name.toUpperCase()), body(page, known))),
    eventsSection(commands),
    ...closing(),
    section("EXAMPLES", literals(commands.flatMap(({ page }) => page.examples))),
    "",
  ].join("\n");
}

/** The page of one command: latent-generate(1). */
export function commandManual({ name, about, page }: Described, edition: Edition): string {
  return [
    title(`latent-${name}`, edition.version, edition.date),
    section("NAME", `latent\\-${escaped(name)} \\- ${escaped(about)}`),
    section("SYNOPSIS", `\\fBlatent\\fR ${escaped(page.usage)}`),
    section("DESCRIPTION", paragraphs(page.text)),
    ...flagSections(page),
    ...("json" in page.flags ? [eventsSection([{ name, about, page }])] : []),
    ...closing(),
    section("EXAMPLES", literals(page.examples)),
    section("SEE ALSO", "\\fBlatent\\fR(1)"),
    "",
  ].join("\n");
}

function closing(): string[] {
  return [
    section("EXIT STATUS", ...items(EXIT_STATUS)),
    section("ENVIRONMENT", ...items(ENVIRONMENT)),
    section("FILES", ...items(FILES)),
  ];
}

function items(entries: Readonly<Record<string, string>>): string[] {
  return Object.entries(entries).map(([name, about]) => item(name, "", about));
}

/** A command within the program's page; flags that are `known` are named alone. */
function body({ usage, text, flags, kinds = {} }: Page, known: Set<Flag>): string {
  const entries = Object.entries(flags);
  const again = entries.filter(([, flag]) => known.has(flag)).map(([name]) => `--${name}`);
  const first = entries.filter(([, flag]) => !known.has(flag));
  for (const [, flag] of entries) known.add(flag);
  return [
    `\\fBlatent\\fR ${escaped(usage)}`,
    ...text.map(paragraph),
    ...first.map(flagItem),
    ...(again.length > 0 ? [paragraph(`As above: ${again.join(", ")}.`)] : []),
    ...Object.entries(kinds).map(([name, { page }]) => subsection(name, body(page, known))),
  ].join("\n");
}

function flagSections({ flags, kinds = {} }: Page): string[] {
  const known = new Set<Flag>(Object.values(flags));
  return [
    section("OPTIONS", ...Object.entries(flags).map(flagItem)),
    ...Object.entries(kinds).map(([name, { page }]) =>
      section(escaped(name.toUpperCase()), body(page, known))
    ),
  ];
}

function flagItem([name, flag]: readonly [string, Flag]): string {
  const { short, aliases = [], choices, suggests, help } = flag, value = valueName(flag);
  const spellings = [...(short ? [`-${short}`] : []), ...[name, ...aliases].map((n) => `--${n}`)];
  const sentence = `${help[0]!.toUpperCase()}${help.slice(1)}`;
  const words = choices
    ? `: ${choices.join(", ")}`
    : suggests && !suggests.every((word) => help.includes(word))
    ? `; known are ${suggests.join(", ")}`
    : "";
  return item(spellings.join(", "), value, `${sentence}${words}.`);
}

/** What `--json` writes, of the commands that a page is of. */
function eventsSection(commands: readonly Described[]): string {
  const names = commands.map(({ name }) => name);
  const draws = names.some((name) => ["generate", "interpolate"].includes(name));
  const trains = names.includes("train");
  if (!draws && !trains) {
    return section("EVENTS", "\\fB\\-\\-json\\fR writes one JSON object a line.");
  }
  return section(
    "EVENTS",
    paragraphs([
      "--json writes events, one JSON object a line, to standard output, or to standard error " +
      `where pictures go to standard output. All have v (${EVENTS_VERSION}), event, and elapsed, ` +
      "the seconds since the start. Within a version, fields and events may be added; v rises " +
      "when one goes or changes its meaning.",
    ]),
    ...(draws ? [subsection("generate, interpolate", ...eventItems(RUN_EVENTS))] : []),
    ...(trains ? [subsection("train", ...eventItems(TRAINING_EVENTS))] : []),
  );
}

function eventItems(events: Readonly<Record<string, EventWords>>): string[] {
  return Object.entries(events).map(([name, { about, fields }]) => {
    const list = Object.entries(fields).map(([field, words]) => `${field} (${words})`).join(", ");
    return item(name, "", `${about[0]!.toUpperCase()}${about.slice(1)}. ${list}.`);
  });
}
