/** The scripts, as bash, fish and zsh run them. */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { COMMANDS } from "../../cli/commands.ts";
import { completionsOf, spellings } from "../../cli/completions.ts";
import { type FlagTable, UsageError } from "../../cli/flags.ts";
import type { Page } from "../../cli/page.ts";
import { inFolder, output, printed } from "./process.ts";

const TABLE = {
  steps: { kind: "integer", help: "it's [many]: 25" },
  easing: { kind: "text", choices: ["linear", "smooth"], short: "e", help: "how" },
  sampler: { kind: "text", suggests: ["euler", "heun"], help: "what" },
  output: { kind: "text", value: "PATH", aliases: ["out"], help: "where" },
  folder: { kind: "text", value: "DIR", help: "from where" },
  lora: { kind: "list", value: "FILE", help: "which" },
  quiet: { kind: "switch", help: "no messages" },
} as const satisfies FlagTable;

const HELP = { help: { kind: "switch", help: "this text" } } as const satisfies FlagTable;

const page = (rest: Partial<Page>): Page => ({
  ...{ usage: "", text: [], examples: [], flags: HELP },
  ...rest,
});
const command = (about: string, rest: Partial<Page>) => ({
  about,
  page: () => Promise.resolve(page(rest)),
});

const completions = completionsOf({
  draw: command("it's a: picture", { flags: TABLE, words: ["text"] }),
  plan: command("topics, then a file", { words: [["red", "blue"], "file"] }),
  show: command("files", { words: ["file"] }),
  train: command("kinds", {
    words: [["lora", "words"]],
    kinds: {
      lora: { about: "an adapter", page: page({ flags: { ...HELP, rank: TABLE.steps } }) },
      words: { about: "a word", page: page({ flags: { ...HELP, token: TABLE.steps } }) },
    },
  }),
});

/** What is offered for a command line, in each shell. */
const OFFERS: readonly (readonly [line: string, offered: readonly string[]])[] = [
  ["latent ", ["draw", "plan", "show", "train"]],
  ["latent dr", ["draw"]],
  ["latent draw --o", ["--out", "--output"]],
  ["latent draw -e s", ["smooth"]],
  ["latent draw --sampler h", ["heun"]],
  ["latent draw --out a", ["a picture.png"]],
  ["latent draw --output=a", ["a picture.png"]],
  ["latent draw --folder ", ["sub"]],
  ["latent draw --steps ", []],
  ["latent draw --quiet --l", ["--lora"]],
  ["latent plan ", ["blue", "red"]],
  ["latent plan red a", ["a picture.png"]],
  ["latent show a", ["a picture.png"]],
  ["latent train ", ["lora", "words"]],
  ["latent train lora --r", ["--rank"]],
  ["latent train words --r", []],
];

/** Calls `work` with a folder that holds a file and a folder. */
function amongFiles(work: (folder: string) => Promise<void>): Promise<void> {
  return inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/a picture.png`, "");
    await Deno.mkdir(`${folder}/sub`);
    await work(folder);
  });
}

/** An offer without its description, the line before it, and what says that it is a folder. */
function plain(offer: string, line: string): string {
  const typed = /(\S*=)\S*$/.exec(line)?.[1] ?? "";
  const word = offer.split("\t")[0]!.replaceAll("\\ ", " ").replace(/\/$/, "");
  return word.startsWith(typed) ? word.slice(typed.length) : word;
}

Deno.test("latent completions bash offers commands, kinds, flags, values and files", () =>
  amongFiles(async (folder) => {
    const script = await printed(completions, "bash");
    for (const [line, expected] of OFFERS) {
      // Readline breaks words at "=", too.
      const words = line.split(/ |(?<==)|(?==)/);
      const ask =
        'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _latent; printf "%s\\n" "${COMPREPLY[@]}"';
      const text = await output("bash", ["-uc", `${script}\n${ask}`, "bash", ...words], folder);
      const offered = text.trim().split("\n").filter((offer) => offer !== "").sort();
      assert.deepEqual(offered, expected, line);
    }
  }));

Deno.test("latent completions fish offers commands, kinds, flags, values and files", () =>
  amongFiles(async (folder) => {
    await Deno.writeTextFile(`${folder}/.latent.fish`, await printed(completions, "fish"));
    const asks = OFFERS.map(([line]) => `echo "== "; complete -C '${line}'`);
    const script = ["source .latent.fish", ...asks].join("\n");
    const answers = (await output("fish", ["--no-config", "-c", script], folder)).split("== \n");
    for (const [i, [line, expected]] of OFFERS.entries()) {
      const offers = answers[i + 1]!.trim().split("\n").filter((offer) => offer !== "");
      assert.deepEqual(offers.map((offer) => plain(offer, line)).sort(), expected, line);
    }
  }));

Deno.test("latent completions zsh offers commands, kinds, flags, values and files", () =>
  amongFiles(async (folder) => {
    await Deno.mkdir(`${folder}/.functions`);
    await Deno.writeTextFile(`${folder}/.functions/_latent`, await printed(completions, "zsh"));
    const asker = fileURLToPath(new URL("offers.zsh", import.meta.url));
    const lines = OFFERS.map(([line]) => line);
    const text = await output("zsh", [asker, `${folder}/.functions`, ...lines], folder);
    const answers = text.split(/^== .*\n/m);
    for (const [i, [line, expected]] of OFFERS.entries()) {
      const offers = answers[i + 1]!.trim().split("\n").filter((offer) => offer !== "");
      assert.deepEqual(offers.map((offer) => plain(offer, line)).sort(), expected, line);
    }
  }));

Deno.test("latent completions zsh and fish quote what their shells would read", async () => {
  const zsh = await printed(completions, "zsh");
  assert.match(zsh, /^#compdef latent\n/);
  assert.ok(zsh.includes("'draw:it'\\''s a\\: picture'"));
  assert.ok(zsh.includes("'--steps=[it'\\''s \\[many\\]\\: 25]:N: '"));
  assert.ok(zsh.includes("'*--lora=[which]:FILE:_files'"));
  const fish = await printed(completions, "fish");
  assert.match(fish, /-l output -l out -r -F -d 'where'/);
  assert.match(fish, /-l easing -s e -x -a 'linear smooth' -d 'how'/);
  assert.match(fish, /-l steps -x -d 'it'\\''s \[many\]: 25'/);
});

Deno.test("latent completions knows every flag of every command, and the shells read it", async () => {
  for (const shell of ["bash", "zsh", "fish"]) {
    const script = await printed(completionsOf(COMMANDS), shell);
    for (const [name, entry] of Object.entries(COMMANDS)) {
      const { flags, kinds = {} } = await entry.page();
      const tables = [flags, ...Object.values(kinds).map((kind) => kind.page.flags)];
      for (const flag of tables.flatMap((table) => Object.entries(table))) {
        for (const spelling of spellings(flag)) {
          const fish = spelling.replace(/^--|^-/, (dashes) => dashes === "--" ? "-l " : "-s ");
          const text = shell === "fish" ? ` ${fish} ` : spelling;
          assert.ok(script.includes(text), `${shell}: ${name} ${spelling}`);
        }
      }
    }
    await inFolder(async (folder) => {
      await Deno.writeTextFile(`${folder}/script`, script);
      await output(shell, ["-n", "script"], folder);
    });
  }
});

Deno.test("latent completions refuses a shell that it does not know", async () => {
  await assert.rejects(
    completions(["tcsh"]),
    (e) => e instanceof UsageError && /bash, zsh, fish; got "tcsh"/.test(e.message),
  );
  await assert.rejects(completions([]), /got nothing/);
});
