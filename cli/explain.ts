/**
 * `latent explain`: the ideas of Stable Diffusion as experiments that run on the spot.
 *
 * @module
 */

import { dirname, join } from "node:path";

import {
  openLaboratory,
  type PageLinks,
  plotDrawer,
  renderHtml,
  renderIndex,
  renderJson,
  renderText,
  type Report,
  TOPICS,
  withLines,
} from "../explain/mod.ts";
import { didYouMean, type FlagTable, type FlagValues, parseFlags, UsageError } from "./flags.ts";
import { makeFolder } from "./folders.ts";
import { GENERATE_FLAGS, openOptionsOf } from "./generate_flags.ts";
import { PROVIDER_FLAGS } from "./provider_flags.ts";
import { withInterrupt } from "./interrupt.ts";
import { helpText, listOf, type Page } from "./page.ts";
import { progressTo } from "./progress.ts";
import { print } from "./standard_output.ts";

const { model, config, variant, vae, lora, quiet, verbose, help, prompt, seed, json } =
  GENERATE_FLAGS;

const EXPLAIN_FLAGS = {
  model,
  config,
  variant,
  vae,
  lora,
  ...PROVIDER_FLAGS,
  prompt,
  seed,
  html: { kind: "text", value: "PATH", help: "a page, or with --all a folder with the course" },
  all: { kind: "switch", help: "every topic" },
  json,
  quiet,
  verbose,
  help,
} as const satisfies FlagTable;

/** Help of `latent explain`. */
export const EXPLAIN_PAGE: Page = {
  usage: "explain [TOPIC] [FILE] [FLAGS]",
  text: [
    "Runs an experiment on the embedded model, or on yours with --model, and shows what came of " +
    "it. Exits with 1 if what it says turns out wrong. Without a topic: the list.",
  ],
  examples: [
    "latent explain",
    "latent explain guidance",
    "latent explain schedulers --html schedulers.html",
    "latent explain image seven.png",
    "latent explain --all --html course/",
  ],
  flags: EXPLAIN_FLAGS,
  words: [Object.keys(TOPICS), "file"],
};

/** Runs `latent explain`. */
export async function explain(args: readonly string[]): Promise<number> {
  const { flags, positionals } = parseFlags(EXPLAIN_FLAGS, args);
  if (flags.help) {
    print(helpText(EXPLAIN_PAGE));
    return 0;
  }
  const [name, subject, ...more] = positionals;
  if (name === undefined && !flags.all) {
    print(`Topics of latent explain:\n\n${listOf(TOPICS)}\n`);
    return 0;
  }
  const names = flags.all ? Object.keys(TOPICS) : [known(name!)];
  if (flags.all && flags.html === undefined) throw new UsageError("--all needs --html FOLDER.");
  const unused = flags.all ? name : TOPICS[name!]!.takesFile ? more[0] : subject;
  if (unused !== undefined) {
    const topic = flags.all ? "--all" : name;
    throw new UsageError(`latent explain ${topic} cannot use ${JSON.stringify(unused)}.`);
  }
  if (flags.html !== undefined) {
    // Before the experiments take their time.
    const folder = flags.all ? flags.html : dirname(flags.html);
    await makeFolder(folder, { target: `to ${folder}` });
  }
  return await withInterrupt(async (signal) => {
    const progress = progressTo({ quiet: flags.quiet ?? false });
    await using laboratory = await openLaboratory(flags.model, {
      open: openOptionsOf(flags),
      seed: flags.seed ?? 1n,
      signal,
      progress: (what) => progress.stage(what),
      ...(flags.prompt !== undefined && { prompt: flags.prompt }),
      ...(subject !== undefined && { subject }),
    });
    const reports: Report[] = [];
    for (const topic of names) {
      progress.stage(`explaining ${topic}`);
      const report = await (await TOPICS[topic]!.load()).run(laboratory);
      const notes = laboratory.notes.splice(0).map((text) => ({ kind: "text", text }) as const);
      reports.push(await withLines({ ...report, blocks: [...notes, ...report.blocks] }));
    }
    progress.end();
    await show(reports, flags);
    return reports.every(({ claims }) => claims.every(({ holds }) => holds)) ? 0 : 1;
  });
}

function known(name: string): string {
  if (Object.hasOwn(TOPICS, name)) return name;
  const hint = didYouMean(name, Object.keys(TOPICS)) || " See latent explain.";
  throw new UsageError(`Unknown topic ${JSON.stringify(name)}.${hint}`);
}

/** Writes the reports where the flags say. */
async function show(
  reports: readonly Report[],
  flags: FlagValues<typeof EXPLAIN_FLAGS>,
): Promise<void> {
  if (flags.json) {
    for (const report of reports) print(await renderJson(report));
    return;
  }
  if (flags.html !== undefined) {
    await writePages(reports, flags.html, flags.all ?? false);
    return;
  }
  const color = Deno.stdout.isTerminal() && !Deno.noColor;
  for (const report of reports) print(renderText(report, { color, columns: columns() }));
}

async function writePages(reports: readonly Report[], path: string, all: boolean): Promise<void> {
  const draw = await plotDrawer();
  if (!all) {
    await Deno.writeTextFile(path, await renderHtml(reports[0]!, draw));
    return;
  }
  await Deno.mkdir(path, { recursive: true });
  const pages = reports.map(({ topic, title }) => ({
    file: `${topic}.html`,
    title,
    about: TOPICS[topic]!.about,
  }));
  for (const [i, report] of reports.entries()) {
    const before = pages[i - 1], after = pages[i + 1];
    const links: PageLinks = {
      index: "index.html",
      ...(before && { before: [before.file, before.title] as const }),
      ...(after && { after: [after.file, after.title] as const }),
    };
    await Deno.writeTextFile(join(path, pages[i]!.file), await renderHtml(report, draw, links));
  }
  await Deno.writeTextFile(join(path, "index.html"), renderIndex(pages));
}

function columns(): number {
  try {
    return Deno.consoleSize().columns;
  } catch {
    return 80;
  }
}
