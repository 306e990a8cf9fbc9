import assert from "node:assert/strict";
import { NEWEST_MINOR, OLDEST_MINOR, tableLength } from "../../ffi/api.ts";
import { ORT_API } from "../../ffi/api_table.ts";
import { apiTable, readEntries, readSignature } from "../../scripts/make_ort_api.ts";

const LIST = new URL("../../scripts/onnxruntime_api_index.tsv", import.meta.url);
const TABLE = new URL("../../ffi/api_table.ts", import.meta.url);
const tsv = Deno.readTextFileSync(LIST);
const rows = tsv.trim().split("\n").map((line) => line.split("\t")).filter(([s]) => s === "OrtApi");

Deno.test("the table is what the script makes of the header's list", () => {
  assert.equal(Deno.readTextFileSync(TABLE), apiTable(readEntries(tsv, "OrtApi")));
});

Deno.test("each function stands at its slot in the header", () => {
  assert.equal(ORT_API.length, rows.length);
  for (const [index, [, slot, name]] of rows.entries()) {
    assert.equal(Number(slot), index);
    assert.equal(ORT_API[index]?.[0], name);
  }
});

// A second, cruder reading of the C signatures than the script's, so that one guards the other.
Deno.test("each signature has the parameters, widths and result of the C one", () => {
  for (const [index, [, , name = "", signature = ""]] of rows.entries()) {
    const [, parameters, result] = ORT_API[index] ?? ["", [], ""];
    const flat = signature.replace(/_[A-Z][A-Za-z_]*_\([^()]*\)/g, "").replace(
      /\(\*\w+\)\([^()]*\)/g,
      "*",
    );
    const inner = /\((.*)\)/.exec(flat)?.[1] ?? "";
    const c = inner === "void" || inner === "" ? [] : inner.split(",");
    assert.equal(parameters.length, c.length, `${name}: ${inner}`);
    c.forEach((text, i) => assert.match(parameters[i] ?? "", widthOf(text), `${name} #${i}`));
    const head = flat.slice(0, flat.indexOf("("));
    assert.match(result, widthOf(head), `${name} returns ${head}`);
  }
});

function widthOf(c: string): RegExp {
  if (/[*[]/.test(c)) return /^(pointer|buffer)$/;
  if (/\bsize_t\b/.test(c)) return /^usize$/;
  if (/\bint64_t\b/.test(c)) return /^i64$/;
  if (/\buint32_t\b/.test(c)) return /^u32$/;
  if (/\bbool\b/.test(c)) return /^bool$/;
  if (/^\s*void\s*$/.test(c)) return /^void$/;
  if (/(Fn|Func|Function|FnPtr|Delegate)\b/.test(c)) return /^pointer$/;
  return /^i32$/; // int, int32_t, and C enums
}

Deno.test("readSignature() tells handles from memory", () => {
  const run =
    "OrtStatus* (_Inout_ OrtSession* s, _In_reads_(n) const char* const* names, size_t n)";
  assert.deepEqual(readSignature(run).parameters, ["pointer", "buffer", "usize"]);
  const outs = "OrtStatus* (_Outptr_ OrtValue** out, _Out_ enum ONNXType* type, bool b)";
  assert.deepEqual(readSignature(outs).parameters, ["buffer", "buffer", "bool"]);
  const free = "OrtStatus* (_In_ char** ptr, _In_ int length)";
  assert.deepEqual(readSignature(free).parameters, ["pointer", "i32"]);
  assert.throws(() => readSignature("void (Mystery m)"), /Cannot translate the C type Mystery/);
});

Deno.test("readEntries() refuses a list with a gap", () => {
  const gap = "struct\tindex\tname\tsignature\nOrtApi\t1\tRun\tvoid (void)";
  assert.throws(() => readEntries(gap, "OrtApi"), RangeError);
});

Deno.test("tableLength() never reaches beyond a version's functions", () => {
  assert.equal(tableLength(OLDEST_MINOR - 1), 0);
  assert.equal(ORT_API[tableLength(22) - 1]?.[0], "GetEpApi");
  assert.equal(ORT_API[tableLength(23) - 1]?.[0], "CreateExternalInitializerInfo");
  assert.equal(ORT_API[tableLength(28) - 1]?.[0], "RunOptionsSetSyncStream");
  assert.equal(tableLength(NEWEST_MINOR), ORT_API.length);
  assert.equal(tableLength(99), ORT_API.length);
});
