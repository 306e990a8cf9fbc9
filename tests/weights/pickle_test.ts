import { strict as assert } from "node:assert";
import { PickleTuple, unpickle } from "../../weights/pickle.ts";
import { PickleError } from "../../weights/pickle_reader.ts";
import { TorchStorage, TorchTensor, torchWorld } from "../../weights/torch_objects.ts";
import { flattenState } from "../../weights/torch_state.ts";

/** Opcodes written as a JavaScript string, one character a byte. */
const load = (pickle: string) =>
  unpickle(Uint8Array.from(pickle, (character) => character.charCodeAt(0)), torchWorld);

// The texts are what Python's pickle.dumps gives (protocols 2 and 4).
const VALUES: [what: string, pickle: string, value: unknown][] = [
  ["None, True, False", "\x80\x02(N\x88\x89l.", [null, true, false]],
  ["small and negative ints", "\x80\x02(K\xffM\xff\xffJ\xff\xff\xff\xffl.", [255, 65535, -1]],
  ["long ints", "\x80\x02(\x8a\x00\x8a\x01\xff\x8a\x06\0\0\0\0\0\x01l.", [0, -1, 2 ** 40]],
  [
    "ints beyond exact numbers",
    "\x80\x02\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f.",
    2n ** 63n - 1n,
  ],
  ["floats", "\x80\x02G\x3f\xf0\0\0\0\0\0\0.", 1],
  ["text", "\x80\x02X\x02\0\0\0\xc3\xbc.", "ü"],
  ["bytes", "\x80\x04C\x02\x01\xff.", new Uint8Array([1, 255])],
  [
    "bytes of protocol 2",
    "\x80\x02c_codecs\nencode\nX\x02\0\0\0\xc3\xbfX\x06\0\0\0latin1\x86R.",
    new Uint8Array([255]),
  ],
  [
    "tuples",
    "\x80\x02)K\x01\x85K\x01K\x02\x86\x86.",
    new PickleTuple([
      new PickleTuple([1]),
      new PickleTuple([1, 2]),
    ]),
  ],
  ["lists and dicts", "\x80\x02}X\x01\0\0\0a](K\x01K\x02es.", new Map([["a", [1, 2]]])],
  ["sets", "\x80\x04\x8f(K\x01K\x02\x90.", new Set([1, 2])],
  ["the memo", "\x80\x02(K\x01q\x07h\x07j\x07\0\0\0l.", [1, 1, 1]],
  ["an OrderedDict", "\x80\x02ccollections\nOrderedDict\n)R.", new Map()],
];

for (const [what, pickle, value] of VALUES) {
  Deno.test(`unpickle reads ${what}`, () => {
    if (what === "tuples") {
      return assert.deepEqual((load(pickle) as PickleTuple).items, (value as PickleTuple).items);
    }
    assert.deepEqual(load(pickle), value);
  });
}

const REFUSED: [what: string, pickle: string, message: RegExp][] = [
  ["os.system", "\x80\x02cos\nsystem\nX\x02\0\0\0ls\x85R.", /it names os\.system/],
  ["builtins.eval by protocol 4", "\x80\x04\x8c\x08builtins\x8c\x04eval\x93.", /builtins\.eval/],
  ["Python 2's name of a builtin", "\x80\x02c__builtin__\neval\n.", /builtins\.eval/],
  ["an attribute of an allowed module", "\x80\x02ctorch._utils\nos.system\n.", /torch\._utils\.os/],
  ["an inherited name", "\x80\x02ctorch\n__proto__\n.", /torch\.__proto__/],
  ["torch's nested pickle", "\x80\x02ctorch.storage\n_load_from_bytes\n.", /_load_from_bytes/],
  [
    "calling a class that is only a name",
    "\x80\x02cbuiltins\nint\n)R.",
    /calls builtins\.int, which is not/,
  ],
  ["calling what is no global", "\x80\x02K\x01)R.", /it calls a value of type number/],
  [
    "a rebuild of a forbidden function",
    "\x80\x02ctorch._tensor\n_rebuild_from_type_v2\n(K\x01N)NtR.",
    /calls a value of type number/,
  ],
  [
    "a rebuild of itself",
    "\x80\x02ctorch._tensor\n_rebuild_from_type_v2\nq\x00(h\x00N)NtR.",
    /_rebuild_from_type_v2 by itself/,
  ],
  ["numpy types without a code", "\x80\x02cnumpy\ndtype\n]\x85R.", /type code is not text/],
  ["opcode INST", "\x80\x02(ios\nsystem\n.", /opcode 0x69 at byte 3/],
  ["opcode EXT1", "\x80\x02\x82\x01.", /opcode 0x82/],
  ["opcode DUP", "\x80\x02K\x012.", /opcode 0x32/],
  ["protocol 0", "\x80\x00N.", /protocol is 0/],
  ["the end in the middle", "\x80\x02X\x05\0\0\0ab", /ends in the middle/],
  ["an empty pickle", "", /ends in the middle/],
  ["a length that lies", "\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f", /ends in the middle/],
  ["a huge integer", "\x80\x02\x8b\xff\xff\xff\x7f.", /integer of \d+ bytes/],
  ["taking from an empty stack", "\x80\x020.", /takes more than it has put/],
  ["taking a mark", "\x80\x02(\x85.", /takes more than it has put/],
  ["a mark that is not there", "\x80\x02t.", /no mark/],
  ["a memo that is not there", "\x80\x02h\x01.", /nothing was remembered as 1/],
  ["items of no dict", "\x80\x02](K\x01K\x02u.", /no dict/],
  ["a key without a value", "\x80\x02}(K\x01u.", /no value/],
  ["items of no list", "\x80\x02}K\x01a.", /no list/],
  ["items of no set", "\x80\x02}(K\x01\x90.", /no set/],
  ["a state for a number", "\x80\x02K\x01}b.", /state of something that has none/],
  ["a foreign persistent id", "\x80\x02X\x01\0\0\0a\x85Q.", /persistent id/],
  [
    "a numpy number of a wrong length",
    "\x80\x02cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\nX\x02\0\0\0f8\x85RC\x01a\x86R.",
    /wrong length/,
  ],
];

for (const [what, pickle, message] of REFUSED) {
  Deno.test(`unpickle refuses ${what}`, () => {
    assert.throws(() => load(pickle), (error: Error) => {
      assert(error instanceof PickleError, String(error));
      assert.match(error.message, message);
      return true;
    });
  });
}

Deno.test("unpickle reads deep nesting, which flattenState refuses", () => {
  const deep = load("\x80\x02" + "}K\x01".repeat(100_000) + "N" + "s".repeat(100_000) + ".");
  assert.throws(() => flattenState(deep), /without end/);
});

Deno.test("flattenState refuses dicts that hold themselves, or one another exponentially", () => {
  assert.throws(() => flattenState(load("\x80\x02}q\x00K\x01h\x00s.")), /without end/);
  let bomb = "\x80\x02}q\x00K\x01K\x02s"; // {1: 2}, and 30 times {1: previous, 2: previous}
  for (let i = 0; i < 30; i++) {
    const [from, to] = [i, i + 1].map((n) => String.fromCharCode(n));
    bomb += `}q${to}(K\x01h${from}K\x02h${from}u`;
  }
  assert.throws(() => flattenState(load(bomb + ".")), /without end/);
});

Deno.test("flattenState refuses what is no dict, and two tensors of one name", () => {
  assert.throws(() => flattenState([]), /does not hold a dict/);
  assert.throws(() => flattenState(new Map([[[1], 1]])), /key is neither text nor a number/);
  const tensor = new TorchTensor(new TorchStorage("0", "F32"), "F32", 0, [1], [1]);
  const nested = new Map<string, unknown>([["a", new Map([["b", tensor]])], ["a.b", tensor]]);
  assert.throws(() => flattenState(nested), /two of its tensors are named a\.b/);
});
