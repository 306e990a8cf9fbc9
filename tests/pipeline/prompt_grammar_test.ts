/** A1111's prompt grammar; the cases are those that its own parser documents, and more. */

import assert from "node:assert/strict";
import { parseWeights } from "../../pipeline/prompt_grammar.ts";
import { isScheduled, scheduleOf } from "../../pipeline/prompt_schedule.ts";
import { readPrompt, usesGrammar } from "../../pipeline/prompt_syntax.ts";
import { expandWildcards } from "../../pipeline/prompt_wildcards.ts";
import { promptWindows } from "../../pipeline/prompt_windows.ts";

const WEIGHTS: readonly [string, [string, number][][]][] = [
  ["normal text", [[["normal text", 1]]]],
  ["an (important) word", [[["an ", 1], ["important", 1.1], [" word", 1]]]],
  ["(unbalanced", [[["unbalanced", 1.1]]]],
  ["\\(literal\\]", [[["(literal]", 1]]]],
  ["(unnecessary)(parens)", [[["unnecessaryparens", 1.1]]]],
  ["a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).", [[
    ["a ", 1],
    ["house", 1.5730000000000004],
    [" ", 1.1],
    ["on", 1],
    [" a ", 1.1],
    ["hill", 0.55],
    [", sun, ", 1.1],
    ["sky", 1.4641000000000006],
    [".", 1.1],
  ]]],
  ["", [[["", 1]]]],
  ["a BREAK b", [[["a", 1]], [["b", 1]]]],
  ["(a BREAK b:2)", [[["a", 2]], [["b", 2]]]],
  ["a [b] (c:.5)", [[["a ", 1], ["b", 1 / 1.1], [" ", 1], ["c", 0.5]]]],
  ["12:30 (a:)", [[["12:30 ", 1], ["a:", 1.1]]]],
];

for (const [prompt, expected] of WEIGHTS) {
  Deno.test(`parseWeights() reads ${JSON.stringify(prompt)}`, () => {
    const found = parseWeights(prompt).map((s) => s.map(({ text, weight }) => [text, weight]));
    assert.deepEqual(found, expected);
  });
}

const turns = (...texts: string[]) =>
  Array.from({ length: 10 }, (_, i) => [i + 1, texts[i % texts.length]!] as [number, string]);

const SCHEDULES: readonly [string, [number, string][]][] = [
  ["test", [[10, "test"]]],
  ["a [b:3]", [[3, "a "], [10, "a b"]]],
  ["a [b: 3]", [[3, "a "], [10, "a b"]]],
  ["a [[[b]]:2]", [[2, "a "], [10, "a [[b]]"]]],
  ["[(a:2):3]", [[3, ""], [10, "(a:2)"]]],
  ["a [b : c : 1] d", [[1, "a b  d"], [10, "a  c  d"]]],
  ["a[b:[c:d:2]:1]e", [[1, "abe"], [2, "ace"], [10, "ade"]]],
  ["a [unbalanced", [[10, "a [unbalanced"]]],
  ["a [b:.5] c", [[5, "a  c"], [10, "a b c"]]],
  ["a [{b|d{:.5] c", [[10, "a [{b|d{:.5] c"]]],
  ["((a][:b:c [d:3]", [[3, "((a][:b:c "], [10, "((a][:b:c d"]]],
  ["[a|(b:1.1)]", turns("a", "(b:1.1)")],
  ["[fe|]male", turns("female", "male")],
  ["[cow::0.5] on a hill", [[5, "cow on a hill"], [10, " on a hill"]]],
  ["\\[a:b:3\\]", [[10, "\\[a:b:3\\]"]]],
  ["[a:b:c:3]", [[10, "[a:b:c:3]"]]],
  ["[a:b:99]", [[10, "a"]]],
];

for (const [prompt, expected] of SCHEDULES) {
  Deno.test(`scheduleOf() reads ${JSON.stringify(prompt)} over ten steps`, () => {
    assert.deepEqual(scheduleOf(prompt, 10).map(({ until, text }) => [until, text]), expected);
  });
}

Deno.test("scheduleOf() takes a thousand open brackets in its stride", () => {
  assert.equal(scheduleOf("[(".repeat(1000), 10)[0]!.text.length, 2000);
  assert.equal(isScheduled("[".repeat(500) + "a|b" + "]".repeat(500)), true);
});

Deno.test("readPrompt() splits AND with weights and takes LoRAs out", () => {
  const { composed, loras } = readPrompt(
    "a cat :1.2 AND a dog: .8 <lora:style:0.7> AND a SANDBOX<lora:other>",
    "auto",
    20,
  );
  assert.deepEqual(
    composed.map(({ weight, schedule }) => [weight, schedule[0]!.text.trim()]),
    [[1.2, "a cat"], [0.8, "a dog"], [1, "a SANDBOX"]],
  );
  assert.deepEqual(loras, [{ name: "style", weight: 0.7 }, { name: "other", weight: 1 }]);
});

Deno.test("usesGrammar() leaves sentences alone and finds what no sentence holds", () => {
  const plain = ["a fox (in the snow), at 12:30", "AT&T and BREAKFAST", "a {set} of __files__"];
  for (const prompt of plain) assert.equal(usesGrammar(prompt, "auto"), false, prompt);
  const marked = ["(a:1.2)", "((a))", "[a]", "\\(a", "a BREAK b", "a AND b", "<lora:a:1>", "{a|b}"];
  for (const prompt of marked) assert.equal(usesGrammar(prompt, "auto"), true, prompt);
  assert.equal(usesGrammar("(a)", "a1111"), true);
  assert.equal(usesGrammar("(a:1.2)", "plain"), false);
});

Deno.test("expandWildcards() chooses by the seed, nested, weighted, and from lines", () => {
  const choose = (prompt: string, seed: number) => expandWildcards(prompt, { seed });
  const seen = new Set(Array.from({ length: 40 }, (_, seed) => choose("{a|{b|c}} \\{x|y}", seed)));
  assert.deepEqual([...seen].sort(), ["a", "b", "c"].map((x) => `${x} \\{x|y}`));
  assert.equal(choose("{a|b|c|d|e|f|g}", 7), choose("{a|b|c|d|e|f|g}", 7));
  const often = Array.from({ length: 400 }, (_, seed) => choose("{9::a|1::b}", seed));
  assert.ok(often.filter((x) => x === "a").length > 320);
  const lines = (name: string) => name === "animal" ? ["__size__ cat"] : ["{big|big}"];
  assert.equal(expandWildcards("a __animal__", { seed: 1, lines }), "a big cat");
  assert.throws(() => expandWildcards("__a__", { seed: 1, lines: () => ["__a__"] }), /never end/);
  assert.throws(() => expandWildcards("__a__", { seed: 1, lines: () => [] }), /no lines/);
});

/** One id a letter; a comma is 44. */
const letters = (text: string) => [...text].map((c) => c.charCodeAt(0));

Deno.test("promptWindows() cuts after a comma near the end, or where the window is full", () => {
  const cut = (text: string, longPrompt: "chunk" | "truncate" = "chunk") =>
    promptWindows([[{ text, weight: 1 }]], { length: 75, encode: letters, longPrompt });
  const sizes = (text: string) => cut(text).windows.map(({ ids }) => ids.length);
  assert.deepEqual(sizes("a".repeat(75)), [75]);
  assert.deepEqual(sizes("a".repeat(76)), [75, 1]);
  assert.deepEqual(sizes("a".repeat(60) + "," + "b".repeat(20)), [61, 20]);
  assert.deepEqual(sizes("a".repeat(55) + "," + "b".repeat(30)), [56, 30]);
  assert.deepEqual(sizes("a".repeat(54) + "," + "b".repeat(30)), [75, 10]);
  assert.deepEqual(sizes("a".repeat(70) + ",bbbb," + "c".repeat(3)), [75, 4]);
  const { windows, truncated } = cut("a".repeat(80), "truncate");
  assert.deepEqual([windows.length, windows[0]!.ids.length, truncated.length], [1, 75, 5]);
});

Deno.test("promptWindows() begins a window at BREAK and keeps a learned word together", () => {
  const options = { length: 4, encode: letters, longPrompt: "chunk" } as const;
  const section = (text: string, weight = 1) => [{ text, weight }];
  const { windows } = promptWindows([section("ab"), section("c", 2), section("")], options);
  assert.deepEqual(windows.map(({ weights }) => weights), [[1, 1], [2]]);
  const together = (id: number, next: number) => next === id + 1 && id >= 120;
  const { windows: kept } = promptWindows([section("abxyzc")], {
    ...options,
    belongTogether: together,
  });
  assert.deepEqual(kept.map(({ ids }) => String.fromCharCode(...ids)), ["ab", "xyzc"]);
});
