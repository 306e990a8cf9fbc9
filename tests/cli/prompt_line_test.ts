import assert from "node:assert/strict";
import {
  GENERATE_FLAGS,
  type GenerateFlags,
  generateOptions,
  openOptionsOf,
} from "../../cli/generate_flags.ts";
import { parseFlags, UsageError } from "../../cli/flags.ts";
import { LINE_FLAGS, lineFlags, readPromptLine } from "../../cli/prompt_line.ts";
import { PROVIDER_FLAGS } from "../../cli/provider_flags.ts";
import { OPENING_FLAGS } from "../../cli/run_flags.ts";

const refuses = (line: string, text: RegExp) =>
  assert.throws(() => readPromptLine(line), (e) => e instanceof UsageError && text.test(e.message));

Deno.test("readPromptLine() takes a line for a prompt unless it begins as a JSON object does", () => {
  assert.deepEqual(readPromptLine(" a fox "), { prompt: "a fox" });
  assert.deepEqual(readPromptLine("{red|blue} fox"), { prompt: "{red|blue} fox" });
  assert.deepEqual(readPromptLine('"a fox"'), { prompt: '"a fox"' });
  assert.deepEqual({ ...readPromptLine('{"prompt":"a fox"}') }, { prompt: "a fox" });
  assert.deepEqual({ ...readPromptLine("{}") }, {});
});

Deno.test("readPromptLine() knows every spelling of a flag, and its aliases", () => {
  for (const key of ["guidance-scale", "guidanceScale", "guidance_scale", "cfgScale"]) {
    assert.deepEqual({ ...readPromptLine(`{"${key}":-2}`) }, { "guidance-scale": -2 }, key);
  }
});

Deno.test("readPromptLine() reads numbers, switches, lists and defaults", () => {
  const line = '{"seed":18446744073709551615,"karras":true,"exponential":false,"steps":null,' +
    '"sigmas":[14.6,0.5,0],"controlImage":["a.png","b.png"],"width":64}';
  assert.deepEqual({ ...readPromptLine(line) }, {
    seed: 18446744073709551615n,
    karras: true,
    exponential: false,
    steps: undefined,
    sigmas: "14.6,0.5,0",
    "control-image": ["a.png", "b.png"],
    width: 64n,
  });
});

Deno.test("a line that says false of a switch has what it would have without the switch", () => {
  const { flags } = parseFlags(GENERATE_FLAGS, ["--no-metadata"]);
  assert.equal(generateOptions(flags).metadata, false);
  const line = readPromptLine('{"noMetadata":false}') as GenerateFlags;
  assert.ok(!("metadata" in generateOptions({ ...flags, ...line })));
});

Deno.test("readPromptLine() refuses what is no option of a picture, or no value of it", () => {
  refuses('{"steps":2.5}', /--steps takes a whole number; got "2\.5"/);
  refuses('{"karras":"yes"}', /--karras takes no value/);
  refuses('{"prompt":{"text":"a"}}', /prompt takes no object/);
  refuses('{"stepz":1}', /Did you mean --steps/);
  refuses('{"quiet":true}', /for the whole run: give --quiet/);
  refuses('{"prompt"', /Cannot read the options/);
  assert.throws(() => lineFlags([["", "x"]]), UsageError);
});

Deno.test("LINE_FLAGS has no flag that is looked at when the model is opened, OPENING_FLAGS has all of them", () => {
  const asked = new Set<string>();
  const flags = new Proxy({}, {
    get: (_, name) => void asked.add(String(name)),
    has: (_, name) => (asked.add(String(name)), false),
  });
  openOptionsOf(flags as GenerateFlags);
  assert.ok(asked.has("provider"));
  const wrong = [...asked].filter((name) => name in GENERATE_FLAGS && name in LINE_FLAGS);
  assert.deepEqual(wrong, []);
  // Where and with what it is opened gives no other picture.
  const same = [...Object.keys(PROVIDER_FLAGS), "offline", "hash-weights", "quiet"];
  const decisive = ["model", ...asked].filter((name) => !same.includes(name));
  assert.deepEqual(decisive.sort(), [...OPENING_FLAGS].sort());
});
