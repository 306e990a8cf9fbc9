import assert from "node:assert/strict";
import { sourceLine } from "../../explain/source_line.ts";

const ROOT = new URL("../../", import.meta.url);

Deno.test("sourceLine finds functions, constants and classes, and nothing that is not there", async () => {
  const text = (await Deno.readTextFile(new URL("schedulers/guidance.ts", ROOT))).split("\n");
  const line = await sourceLine("schedulers/guidance.ts", "classifierFreeGuidance");
  assert.match(text[line! - 1]!, /^export function classifierFreeGuidance\(/);
  assert.ok(await sourceLine("pipeline/tokenizer.ts", "ClipTokenizer"));
  assert.equal(await sourceLine("schedulers/guidance.ts", "classifierFree"), undefined);
  assert.equal(await sourceLine("schedulers/nowhere.ts", "denoise"), undefined);
});

Deno.test("every formula of a topic names what computes it", async () => {
  for await (const { name } of Deno.readDir(new URL("explain/", ROOT))) {
    const text = await Deno.readTextFile(new URL(`explain/${name}`, ROOT));
    for (const [, file, symbol] of text.matchAll(/file: "([^"]+)",\s+symbol: "([^"]+)"/g)) {
      assert.ok(await sourceLine(file!, symbol!), `${name}: ${file}, ${symbol}`);
    }
  }
});
