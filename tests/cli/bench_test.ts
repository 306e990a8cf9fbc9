import assert from "node:assert/strict";
import { profileTables } from "../../cli/bench_profile.ts";
import { type BenchReport, benchTable, comparison } from "../../cli/bench_report.ts";
import { inFolder, run, shell } from "./process.ts";

/** Whether `value` is a finite number of at least 0. */
const isAmount = (value: unknown) => typeof value === "number" && value >= 0 && value < Infinity;

Deno.test("bench writes one JSON object that a later run compares with", async () => {
  await inFolder(async (folder) => {
    const script = "latent bench --rounds 1 --steps 1 --quiet";
    const both = `${script} --precision int8 --size 64x64 --size 32x64 --json | tee before.json`;
    const { code, out, errors } = await shell(both, folder);
    assert.equal(code, 0, errors);
    assert.equal(out.trim().split("\n").length, 1);
    const report = JSON.parse(out) as BenchReport;
    assert.equal(report.format, 1);
    assert.equal(report.model, "embedded");
    assert.deepEqual(Object.keys(report.versions), ["latent", "deno", "onnxruntime"]);
    assert.ok(isAmount(report.product.min) && report.product.side > 0);
    assert.deepEqual(report.cases.map(({ name }) => name), ["cpu int8 64x64", "cpu int8 32x64"]);
    for (const one of report.cases) {
      const { stepMs, stepProcessorMs, decodeMs, readyMs, stepProducts, decodeProducts } = one;
      for (const { min, median } of [stepMs, stepProcessorMs, decodeMs]) {
        assert.ok(isAmount(min) && isAmount(median) && min <= median);
      }
      assert.ok([readyMs, stepProducts, decodeProducts].every(isAmount));
      assert.ok(isAmount(one.ownBytes) || Deno.build.os !== "linux");
    }
    const later = await shell(
      `${script} --precision int8 --size 64x64 --compare before.json`,
      folder,
    );
    assert.equal(later.code, 0, later.errors);
    assert.match(later.out, /^cpu int8 64x64 .*\d\.\d\d +\d+\.\d\d$/m);
    assert.ok(later.out.split("\n").every((line) => line.length <= 80), later.out);
  });
});

Deno.test("bench says where the time goes, of --fast, too", async () => {
  await inFolder(async (folder) => {
    const script = "latent bench --fast --profile --rounds 1 --quiet --json";
    const { code, out, errors } = await shell(script, folder);
    assert.equal(code, 0, errors);
    const [one] = (JSON.parse(out) as BenchReport).cases;
    assert.equal(one!.name, "cpu fast");
    assert.equal(one!.stepMs.min, one!.stepMs.median, "one number for the whole run");
    const [unet] = one!.profile!.filter(({ network }) => network === "unet");
    const conv = unet!.operators.find(({ operator }) => operator === "Conv")!;
    assert.ok(conv.nodes > 0 && conv.gflop! > 0 && conv.ms > 0);
    const sum = unet!.operators.reduce((all, { share }) => all + share, 0);
    assert.ok(Math.abs(sum - 1) < 1e-6, `${sum}`);
    const [text, ...more] = profileTables(one!);
    assert.match(text!, /^cpu fast: .*\n.* +nodes +ms +% GFLOP GFLOP\/s\n/);
    assert.ok(more.length > 0);
  });
});

/** A report whose one case takes so many products. */
function reportOf(stepProducts: number): BenchReport {
  const times = { min: 12345.6, median: 23456.7 };
  return {
    ...{ format: 1, date: "", model: "embedded", versions: {}, product: { side: 1024, ...times } },
    machine: {
      os: "",
      arch: "",
      features: [],
      threads: 2,
      choice: { spinning: true, why: "" },
      graphics: [],
    },
    cases: [{
      ...{ name: "openvino 1024x1024", width: 1024, height: 1024, readyMs: 123456 },
      ...{ stepMs: times, stepProcessorMs: times, stepProducts, decodeMs: times },
      ...{ decodeProducts: 3, ownBytes: 12_345_678_901, peakBytes: 23_456_789_012 },
    }],
  };
}

Deno.test("comparison gives ratios in units of each run's own product", () => {
  const [compared] = comparison(reportOf(6), reportOf(4));
  assert.deepEqual(compared, { name: "openvino 1024x1024", step: 1.5, decode: 1, own: 1 });
  assert.deepEqual(comparison(reportOf(6), { ...reportOf(4), cases: [] }), []);
});

Deno.test("benchTable stays within 80 columns for large models", () => {
  const report = reportOf(6);
  for (const compared of [undefined, comparison(report, reportOf(4))]) {
    const lines = benchTable(report, compared).split("\n");
    assert.ok(lines.every((line) => line.length <= 80), lines.join("\n"));
  }
});

for (
  const [what, args, status, text] of [
    ["a size that is none", ["--size", "64"], 2, /--size takes WIDTHxHEIGHT/],
    ["a size that the model cannot have", ["--size", "30x64"], 2, /width must be a multiple of 4/],
    ["a provider that is not known", ["--provider", "tpu"], 2, /--provider takes cpu/],
    ["a precision that is not known", ["--precision", "int3"], 2, /--precision takes float32/],
    ["an earlier run that is not there", ["--compare", "no.json"], 1, /no\.json: there is no such/],
    ["an earlier run that is none", ["--compare", "deno.json"], 1, /it is no such report/],
    ["words", ["fast"], 2, /What is "fast"/],
  ] as const
) {
  Deno.test(`bench says in one line what is wrong: ${what}`, async () => {
    const { code, errors } = await run("bench", ...args);
    assert.equal(code, status, errors);
    assert.match(errors, text);
    assert.equal(errors.trim().split("\n").length, 1, errors);
  });
}
