/** The scripts, as the shells read them; bash is everywhere, so it runs its own. */

import assert from "node:assert/strict";
import { main } from "../../cli.ts";
import { completionsOf } from "../../cli/completions.ts";
import { type FlagTable, UsageError } from "../../cli/flags.ts";
import { GENERATE_COMMAND_FLAGS } from "../../cli/generate.ts";

const TABLE = {
  steps: { kind: "integer", help: "it's [many]: 25" },
  easing: { kind: "text", choices: ["linear", "smooth"], short: "e", help: "how" },
  output: { kind: "text", value: "PATH", aliases: ["out"], help: "where" },
  lora: { kind: "list", value: "FILE", help: "which" },
  quiet: { kind: "switch", help: "no messages" },
} as const satisfies FlagTable;

const completions = completionsOf({
  draw: { about: "it's a picture", flags: () => Promise.resolve(TABLE) },
  plan: { about: "no flags" },
});

/** What is printed. */
async function printed(run: (args: string[]) => Promise<number>, ...args: string[]) {
  const lines: unknown[] = [], before = console.log;
  console.log = (line: unknown) => lines.push(line);
  try {
    assert.equal(await run(args), 0);
  } finally {
    console.log = before;
  }
  return lines.join("\n");
}

/** What bash offers for the last of `words`. */
async function offered(script: string, cwd: string, ...words: string[]): Promise<string[]> {
  const asked =
    'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _latent; printf "%s\\n" "${COMPREPLY[@]}"';
  const { code, stdout, stderr } = await new Deno.Command("bash", {
    args: ["-uc", `${script}\n${asked}`, "bash", ...words],
    cwd,
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trim().split("\n");
}

Deno.test("latent completions bash completes commands, flags, choices and files", async () => {
  const script = await printed(completions, "bash"), folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/a picture.png`, "");
    const asks = (...words: string[]) => offered(script, folder, "latent", ...words);
    assert.deepEqual(await asks(""), ["draw", "plan"]);
    assert.deepEqual(await asks("dr"), ["draw"]);
    assert.deepEqual(await asks("draw", "--o"), ["--output", "--out"]);
    assert.deepEqual(await asks("draw", "-e", "s"), ["smooth"]);
    assert.deepEqual(await asks("draw", "--out", "a"), ["a picture.png"]);
    assert.deepEqual(await asks("draw", "--steps", ""), [""]);
    assert.deepEqual(await asks("draw", "--quiet", "--l"), ["--lora"]);
    assert.deepEqual(await asks("plan", "--"), [""]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("latent completions zsh and fish quote what their shells would read", async () => {
  const zsh = await printed(completions, "zsh");
  assert.match(zsh, /^#compdef latent\n/);
  assert.ok(zsh.includes("'draw:it'\\''s a picture'"));
  assert.ok(zsh.includes("'--steps[it'\\''s \\[many\\]\\: 25]:N: '"));
  assert.ok(zsh.includes("'*--lora[which]:FILE:_files'"));
  assert.ok(zsh.includes("'-e[how]:NAME:(linear smooth)'"));
  const fish = await printed(completions, "fish");
  assert.match(fish, /-l output -l out -r -F -d 'where'/);
  assert.match(fish, /-l easing -s e -x -a 'linear smooth' -d 'how'/);
  assert.match(fish, /-l quiet -f -d/);
});

Deno.test("latent completions knows every flag of latent generate", async () => {
  const script = await printed(main, "completions", "bash");
  for (const name of Object.keys(GENERATE_COMMAND_FLAGS)) {
    assert.ok(script.includes(`--${name}`), name);
  }
});

Deno.test("latent completions refuses a shell that it does not know", async () => {
  await assert.rejects(
    completions(["tcsh"]),
    (e) => e instanceof UsageError && /bash, zsh, fish; got "tcsh"/.test(e.message),
  );
  await assert.rejects(completions([]), /got nothing/);
});
