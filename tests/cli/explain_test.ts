/** `latent explain` as programs read it. */

import assert from "node:assert/strict";
import { main } from "../../cli.ts";
import { printed } from "./process.ts";

Deno.test("latent explain --json prints the report alone, whatever there is to warn of", async () => {
  // Where CUDA is missing, that is a warning.
  const flags = ["--provider", "cuda,cpu", "--json", "--quiet"];
  const lines = (await printed(main, "explain", "text-encoder", ...flags)).trim().split("\n");
  assert.deepEqual(lines.map((line) => JSON.parse(line).topic), ["text-encoder"]);
});
