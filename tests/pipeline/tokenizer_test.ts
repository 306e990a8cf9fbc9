import { strict as assert } from "node:assert";
import { join } from "node:path";
import { ClipTokenizer } from "../../pipeline/tokenizer.ts";
import { ModelFormatError } from "../../weights/model_format_error.ts";

const GOLDEN = join(import.meta.dirname!, "../golden/tokenizer");

interface Expected {
  readonly pad: number;
  readonly bos: number;
  readonly eos: number;
  readonly length: number;
  readonly ids: number[][];
  readonly padded: number[][];
  readonly tokens: string[];
}
type Golden =
  & { readonly strings: string[] }
  & Record<"sd1" | "sd2v" | "digits" | "clip", Expected>
  & { readonly added: { tokens: string[]; strings: string[]; ids: number[][] } };

const golden = async () =>
  JSON.parse(await Deno.readTextFile(join(GOLDEN, "expected.json"))) as Golden;

/** A copy of a golden folder with some files changed; `undefined` leaves one out. */
async function folderWith(
  name: string,
  changes: Readonly<Record<string, unknown>>,
  body: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    for await (const { name: file } of Deno.readDir(join(GOLDEN, name))) {
      await Deno.copyFile(join(GOLDEN, name, file), join(folder, file));
    }
    for (const [file, content] of Object.entries(changes)) {
      const path = join(folder, file);
      if (content === undefined) await Deno.remove(path);
      else {await Deno.writeTextFile(
          path,
          typeof content === "string" ? content : JSON.stringify(content),
        );}
    }
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function assertEqualIds(tokenizer: ClipTokenizer, strings: string[], expected: Expected): void {
  const different = strings.filter((text, i) => {
    const ids = [tokenizer.bos, ...tokenizer.encodeText(text), tokenizer.eos];
    return ids.join() !== expected.ids[i]!.join();
  });
  assert.deepEqual(different, []);
}

for (const name of ["sd1", "sd2v", "digits"] as const) {
  Deno.test(`ClipTokenizer equals transformers on every string, with the vocabulary of ${name}`, async () => {
    const { strings, [name]: expected } = await golden();
    const tokenizer = await ClipTokenizer.open(join(GOLDEN, name));
    assert(strings.length > 300);
    assertEqualIds(tokenizer, strings, expected);
    const { bos, eos, pad, maxLength } = tokenizer;
    assert.deepEqual({ bos, eos, pad, length: maxLength }, {
      bos: expected.bos,
      eos: expected.eos,
      pad: expected.pad,
      length: expected.length,
    });
    const windows = [...strings.slice(0, 20), "word ".repeat(120)];
    assert.deepEqual(windows.map((text) => tokenizer.encode(text).ids), expected.padded);
    assert.deepEqual(tokenizer.tokens(expected.ids[7]!), expected.tokens);
  });

  Deno.test(`ClipTokenizer reads ${name} from tokenizer.json alone, and from vocab and merges alone`, async () => {
    const { strings, [name]: expected } = await golden();
    const files = ["vocab.json", "merges.txt", "tokenizer.json"];
    for (const absent of [files.slice(0, 2), files.slice(2)]) {
      const changes = Object.fromEntries(absent.map((file) => [file, undefined]));
      await folderWith(name, changes, async (folder) => {
        assertEqualIds(await ClipTokenizer.open(folder), strings, expected);
      });
    }
  });
}

Deno.test("ClipTokenizer.clip has the full vocabulary, equal to transformers with it", async () => {
  const { strings, clip } = await golden();
  const tokenizer = await ClipTokenizer.clip();
  assert.equal(tokenizer.size, 49408);
  assert.deepEqual([tokenizer.bos, tokenizer.eos, tokenizer.pad], [49406, 49407, 49407]);
  assertEqualIds(tokenizer, strings, clip);
  // The ids that everyone who has looked at CLIP knows.
  assert.deepEqual(tokenizer.encodeText("a photo of a cat"), [320, 1125, 539, 320, 2368]);
  assert.equal((await ClipTokenizer.clip("!")).pad, 0);
});

Deno.test("encode cuts what does not fit, says which words, and marks the end of the text", async () => {
  const tokenizer = await ClipTokenizer.clip();
  const short = tokenizer.encode("A Lighthouse at dawn");
  assert.equal(short.ids.length, 77);
  assert.equal(short.eosIndex, 5);
  assert.equal(short.ids[5], tokenizer.eos);
  assert.equal(short.truncated, "");
  const long = tokenizer.encode("one two three FOUR, five", { length: 5 });
  assert.deepEqual(tokenizer.decode(long.ids.slice(1, 4)), "one two three");
  assert.equal(long.truncated, "four , five");
  assert.equal(long.eosIndex, 4);
  assert.throws(
    () => tokenizer.encode("one two three four", { length: 5, truncate: false }),
    (error: Error) => error instanceof RangeError && /got 4 tokens.*by "four"/.test(error.message),
  );
  assert.deepEqual(tokenizer.encode("one two", { length: 4, truncate: false }).truncated, "");
  assert.throws(() => tokenizer.encode("one", { length: 1 }), RangeError);
});

Deno.test("frame puts a window around any ids that fit", async () => {
  const tokenizer = await ClipTokenizer.open(join(GOLDEN, "sd2v"));
  const { bos, eos } = tokenizer;
  assert.deepEqual(tokenizer.frame([5, 6], 6), [bos, 5, 6, eos, 0, 0]);
  assert.deepEqual(tokenizer.frame([5, 6], 4), [bos, 5, 6, eos]);
  assert.throws(() => tokenizer.frame([5, 6], 3), RangeError);
});

Deno.test("addToken equals transformers' added tokens, in any case and inside words", async () => {
  const { added } = await golden();
  const tokenizer = await ClipTokenizer.open(join(GOLDEN, "sd1"));
  const ids = added.tokens.map((name) => tokenizer.addToken(name));
  assert.deepEqual(ids, added.tokens.map((_, i) => [1214 + i]));
  const all = added.strings.map((s) => [tokenizer.bos, ...tokenizer.encodeText(s), tokenizer.eos]);
  assert.deepEqual(all, added.ids);
});

Deno.test("addToken of several vectors stands for all of them, after texts were encoded too", async () => {
  const tokenizer = await ClipTokenizer.open(join(GOLDEN, "sd1"));
  tokenizer.encode("a <cat>");
  assert.deepEqual(tokenizer.addToken("<cat>", 3), [1214, 1215, 1216]);
  assert.equal(tokenizer.size, 1217);
  const [a] = tokenizer.encodeText("a");
  assert.deepEqual(tokenizer.encodeText("a <cat> a"), [a, 1214, 1215, 1216, a]);
  assert.deepEqual(tokenizer.tokens([1214, 1216]), ["<cat>", "<cat>_2"]);
  for (const [name, count] of [["<cat>", 1], ["in</w>", 1], ["", 1], ["x", 0]] as const) {
    assert.throws(() => tokenizer.addToken(name, count), RangeError);
  }
  assert.throws(() => tokenizer.tokens([1217]), /expected 0 to 1216/);
});

Deno.test("ClipTokenizer.open takes the special tokens from their map before the config", async () => {
  const cases: [changes: Record<string, unknown>, pad: number][] = [
    [{ "special_tokens_map.json": { pad_token: "!" } }, 0],
    [{ "special_tokens_map.json": undefined, "tokenizer_config.json": { pad_token: "!" } }, 0],
    [{
      "special_tokens_map.json": { pad_token: "<|endoftext|>" },
      "tokenizer_config.json": { pad_token: "!" },
    }, 1213],
    [{ "special_tokens_map.json": undefined, "tokenizer_config.json": undefined }, 1213],
    [{ "special_tokens_map.json": { pad_token: { content: "!", normalized: true } } }, 0],
  ];
  for (const [changes, pad] of cases) {
    await folderWith("sd1", changes, async (folder) => {
      assert.equal((await ClipTokenizer.open(folder)).pad, pad);
    });
  }
});

Deno.test("ClipTokenizer.open reads added tokens and takes 77 for an absurd length", async () => {
  const config = {
    model_max_length: 1e30,
    added_tokens_decoder: { 1214: { content: "<one>" } },
  };
  const changes = { "tokenizer_config.json": config, "added_tokens.json": { "<two>": 1215 } };
  await folderWith("sd1", changes, async (folder) => {
    const tokenizer = await ClipTokenizer.open(folder);
    assert.equal(tokenizer.maxLength, 77);
    assert.equal(tokenizer.size, 1216);
    assert.deepEqual(tokenizer.encodeText("<two><ONE>"), [1215, 1214]);
  });
});

Deno.test("ClipTokenizer.open names the file at fault", async () => {
  const cases: [changes: Record<string, unknown>, file: string, message: RegExp][] = [
    [{ "vocab.json": undefined, "tokenizer.json": undefined }, "", /neither vocab\.json/],
    [{ "vocab.json": "{" }, "vocab.json", /not JSON/],
    [{ "vocab.json": [] }, "vocab.json", /not a JSON object/],
    [{ "vocab.json": { a: "x" } }, "vocab.json", /the id of "a" is x/],
    [{ "merges.txt": "a b c" }, "merges.txt", /"a b c" is no merge/],
    [{ "vocab.json": undefined, "tokenizer.json": { model: 1 } }, "tokenizer.json", /no vocab/],
    [{ "special_tokens_map.json": { eos_token: 5 } }, "", /its eos_token is 5/],
  ];
  for (const [changes, file, message] of cases) {
    await folderWith("sd1", changes, async (folder) => {
      const error: unknown = await ClipTokenizer.open(folder).catch((thrown: unknown) => thrown);
      assert(error instanceof ModelFormatError, String(error));
      assert.match(error.message, message);
      assert.equal(error.path, file === "" ? folder : join(folder, file));
    });
  }
});
