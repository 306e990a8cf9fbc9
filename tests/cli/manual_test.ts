/** The help and manual pages of all commands. */

import assert from "node:assert/strict";
import { main } from "../../cli.ts";
import { COMMANDS } from "../../cli/commands.ts";
import { COMMON_FLAGS, type FlagTable, UsageError } from "../../cli/flags.ts";
import { manOf } from "../../cli/man.ts";
import { escaped } from "../../cli/manual_roff.ts";
import { helpText, type Page } from "../../cli/page.ts";
import { wrap } from "../../cli/wrap.ts";
import { inFolder, output, printed } from "./process.ts";

/** Every page with the words that lead to it. */
async function pages(): Promise<(readonly [words: readonly string[], page: Page])[]> {
  const each = Object.entries(COMMANDS).map(async ([name, entry]) => {
    const page = await entry.page();
    const behind = Object.entries(page.kinds ?? {});
    return [
      [[name], page] as const,
      ...behind.map(([kind, { page }]) => [[name, kind], page] as const),
    ];
  });
  return (await Promise.all(each)).flat();
}

Deno.test("latent COMMAND --help is its page, with examples, within 80 columns", async () => {
  for (const [words, page] of await pages()) {
    const help = await printed(main, ...words, "--help");
    assert.equal(help, `${helpText(page)}\n`);
    assert.equal(await printed(main, "help", ...words), help);
    assert.ok(help.startsWith(`Usage: latent ${words.join(" ")}`), help);
    assert.ok(page.examples.length > 0, `${words}`);
    for (const line of help.split("\n")) {
      if (!/^ {2}(latent|printf|pip|source|mkdir)/.test(line)) assert.ok(line.length <= 80, line);
    }
    for (const name of Object.keys(page.flags)) assert.ok(help.includes(`--${name}`), name);
  }
});

Deno.test("latent man shows every command and flag, and man has nothing to warn of", () =>
  inFolder(async (folder) => {
    const env = "MANROFFOPT= MANWIDTH=100 LC_ALL=C.UTF-8";
    const show = async (...args: string[]) => {
      await Deno.writeTextFile(`${folder}/page.1`, await printed(main, "man", ...args));
      const script =
        `${env} man --warnings -l page.1 2>warnings; cat warnings >&2; [ ! -s warnings ]`;
      return await output("bash", ["-c", script], folder);
    };
    const whole = await show();
    for (const [words, { flags }] of await pages()) {
      for (const name of Object.keys(flags)) {
        assert.match(whole, new RegExp(`--${name}(?![\\w-])`), `${words} ${name}`);
      }
    }
    for (const [name, { about, page }] of Object.entries(COMMANDS)) {
      const text = await show(name), { examples } = await page();
      assert.ok(text.includes(`latent-${name} - ${about}`), text);
      assert.ok(text.includes(examples.at(-1)!.split("\n")[0]!), text);
      for (const heading of ["SYNOPSIS", "OPTIONS", "EXIT STATUS", "ENVIRONMENT", "EXAMPLES"]) {
        assert.match(text, new RegExp(`^${heading}$`, "m"), name);
      }
    }
  }));

Deno.test("latent man names flags once, and those of an earlier command by their names alone", async () => {
  const again = { kind: "switch", help: "no messages" } as const;
  const command = (usage: string, flags: FlagTable) => ({
    about: usage,
    page: () => Promise.resolve({ usage, flags, text: ["It."], examples: ["it"] }),
  });
  const text = await printed(manOf({
    one: command("one", { quiet: again }),
    two: command("two", { quiet: again, loud: { kind: "integer", help: "decibels" } }),
  }));
  assert.equal(text.split("No messages.").length, 2);
  assert.match(text, /Decibels\.\n\.PP\nAs above: \\-\\-quiet\./);
});

Deno.test("latent man explains --quiet, --verbose and --help once", async () => {
  const text = await printed(main, "man");
  for (const { help } of Object.values(COMMON_FLAGS)) {
    const sentence = `${help[0]!.toUpperCase()}${help.slice(1)}.\n`;
    assert.equal(text.split(sentence).length, 2, sentence);
  }
});

Deno.test("latent man refuses what is no command", async () => {
  await assert.rejects(
    manOf(COMMANDS)(["generat"]),
    (e) => e instanceof UsageError && /Did you mean generate\?/.test(e.message),
  );
  await assert.rejects(manOf(COMMANDS)(["generate", "train"]), UsageError);
});

Deno.test("escaped() keeps what roff would read", () => {
  assert.equal(escaped(".x 'a' -b \\n ~/.c"), "\\&.x \\(aqa\\(aq \\-b \\en \\(ti/.c");
});

Deno.test("wrap() breaks between words only", () => {
  assert.equal(wrap("a bb ccc dddddd e", 6), "a bb\nccc\ndddddd\ne");
});
