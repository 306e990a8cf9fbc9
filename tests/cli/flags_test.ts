import assert from "node:assert/strict";
import { helpOf } from "../../cli/flag_help.ts";
import { type FlagTable, parseFlags, UsageError } from "../../cli/flags.ts";

const TABLE = {
  prompt: { kind: "text", short: "p", help: "what" },
  "guidance-scale": { kind: "number", aliases: ["cfg-scale"], help: "how strongly" },
  steps: { kind: "integer", range: [1, 1000], help: "how many" },
  seed: { kind: "integer", short: "s", help: "which" },
  spacing: { kind: "text", choices: ["leading", "trailing"], help: "where" },
  lora: { kind: "list", help: "which ones" },
  quiet: { kind: "switch", short: "q", help: "no messages" },
} as const satisfies FlagTable;

const flags = (...args: string[]) => parseFlags(TABLE, args).flags;
const refuses = (args: string[], text: RegExp) =>
  assert.throws(() => flags(...args), (e) => e instanceof UsageError && text.test(e.message));

Deno.test("parseFlags() reads every kind, its short form and its aliases", () => {
  assert.deepEqual(
    { ...flags("-p", "a fox", "--cfg-scale", "7.5", "--steps=9", "-q", "--lora", "a", "--lora=b") },
    { prompt: "a fox", "guidance-scale": 7.5, steps: 9n, quiet: true, lora: ["a", "b"] },
  );
});

Deno.test("parseFlags() keeps 64-bit seeds exact and takes negative numbers as values", () => {
  assert.equal(flags("--seed", "18446744073709551615").seed, 18446744073709551615n);
  assert.equal(flags("-s", "-5").seed, -5n);
  assert.equal(flags("--cfg-scale", "-.5")["guidance-scale"], -0.5);
});

Deno.test("parseFlags() leaves absent flags absent and returns the words between", () => {
  const parsed = parseFlags(TABLE, ["a fox", "-q", "--", "--not-a-flag"]);
  assert.deepEqual(Object.keys(parsed.flags), ["quiet"]);
  assert.deepEqual(parsed.positionals, ["a fox", "--not-a-flag"]);
});

Deno.test("parseFlags() names the closest flag for an unknown one", () => {
  refuses(["--step", "3"], /Unknown flag --step\. Did you mean --steps\?/);
  refuses(["--guidnce-scale=3"], /Did you mean --guidance-scale/);
  refuses(["-z"], /Unknown flag -z\.$/);
});

Deno.test("parseFlags() refuses values that the flag cannot have", () => {
  refuses(["--steps", "0"], /--steps takes 1 to 1000; got 0/);
  refuses(["--steps", "2.5"], /--steps takes a whole number; got "2.5"/);
  refuses(["--cfg-scale", "nan"], /takes a number; got "nan"/);
  refuses(["--cfg-scale", ""], /takes a number/);
  refuses(["--spacing", "up"], /--spacing takes leading, trailing; got "up"/);
  refuses(["--prompt"], /--prompt needs a value/);
  refuses(["--quiet=yes"], /--quiet takes no value/);
});

Deno.test("helpOf() names every flag and stays within 80 columns", () => {
  const help = helpOf(TABLE);
  for (const name of Object.keys(TABLE)) assert.match(help, new RegExp(`--${name}\\b`));
  for (const line of help.split("\n")) assert.ok(line.length <= 80, line);
});
