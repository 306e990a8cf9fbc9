/** Every topic runs on the embedded model, and what it claims is so. */

import assert from "node:assert/strict";
import { openLaboratory, TOPICS } from "../../explain/mod.ts";

// Opened once: sessions of the networks are shared by the topics, as in a course.
const laboratory = await openLaboratory(undefined, { seed: 1 });

for (const [name, { load }] of Object.entries(TOPICS)) {
  Deno.test({
    name: `latent explain ${name} holds what it claims`,
    // Sessions outlive the test that built them.
    sanitizeResources: false,
    sanitizeOps: false,
    async fn() {
      const report = await (await load()).run(laboratory);
      assert.equal(report.topic, name);
      assert.ok(report.claims.length > 0, "a topic without a claim checks nothing");
      const wrong = report.claims.filter(({ holds }) => !holds);
      assert.deepEqual(wrong.map(({ text, measured }) => `${text}: ${measured}`), []);
      for (const { file } of report.formulas) {
        await Deno.stat(new URL(`../../${file}`, import.meta.url));
      }
    },
  });
}
