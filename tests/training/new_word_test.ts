import assert from "node:assert/strict";
import { promptsWith } from "../../training/new_word.ts";

Deno.test("promptsWith puts the word after the article, in place of {}, or leaves it", () => {
  const cases: [string, string][] = [
    ["an eight on a blue background", "a <x> eight on a blue background"],
    ["The old harbour", "The <x> old harbour"],
    ["seven", "<x> seven"],
    ["a {} at dawn", "a <x> at dawn"],
    ["my <x> again", "my <x> again"],
  ];
  for (const [caption, expected] of cases) {
    assert.deepEqual(promptsWith("<x>", caption, []), [expected]);
  }
});

Deno.test("promptsWith takes the templates where there is no caption", () => {
  assert.deepEqual(promptsWith("<x>", undefined, ["a {}", "the {}"]), ["a <x>", "the <x>"]);
});
