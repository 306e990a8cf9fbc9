import assert from "node:assert/strict";
import { cpath, cstring, CStrings, pointersAt, textAt } from "../../ffi/memory.ts";

Deno.test("cstring() closes UTF-8 with a zero and refuses one inside", () => {
  assert.deepEqual([...cstring("ä")], [0xc3, 0xa4, 0]);
  assert.throws(() => cstring("a\0b"), TypeError);
  assert.throws(() => cstring(1 as unknown as string), /got number, expected text/);
});

Deno.test("cpath() is UTF-16 on Windows and UTF-8 elsewhere", () => {
  assert.deepEqual([...cpath("ä", "linux")], [0xc3, 0xa4, 0]);
  assert.deepEqual([...cpath("ä", "windows")], [0xe4, 0, 0, 0]);
});

Deno.test("CStrings lays out an array of pointers to texts", () => {
  const texts = ["one", "", "größe"], strings = new CStrings(texts);
  const array = Deno.UnsafePointer.of(strings.pointers);
  assert.deepEqual(pointersAt(array, 3).map(textAt), texts);
  assert.equal(new CStrings([]).length, 0);
});
