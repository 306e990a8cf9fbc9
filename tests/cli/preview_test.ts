import assert from "node:assert/strict";
import { ascii, blocks, draftIn, fit, iterm2, kitty, roomIn } from "../../cli/preview_drafts.ts";
import { fitColors, latentPreview, paint } from "../../cli/preview_colors.ts";
import { sixels } from "../../cli/preview_sixel.ts";
import { askFormat, formatByEnvironment, hasTrueColor } from "../../cli/preview_terminal.ts";
import { Image, type Latents } from "../../mod.ts";

const picture = (width: number, height: number, ...pixels: number[]) =>
  new Image(width, height, Uint8ClampedArray.from(pixels));
const env = (variables: Record<string, string>) => (name: string) => variables[name];
const KITTY = /^([^;]*);([^\x1b]*)\x1b\\$/;

/** A decoder whose colours are exactly linear in two channels, each place 2 x 2 pixels. */
const LINEAR = [[20, -10, 128], [5, 15, 100], [-12, 0, 90]];
const decoder = {
  decode({ width, height, data }: Latents) {
    const out = new Uint8ClampedArray(3 * 4 * width * height);
    for (let y = 0; y < 2 * height; y++) {
      for (let x = 0; x < 2 * width; x++) {
        const at = (y >> 1) * width + (x >> 1), [a, b] = [data[at]!, data[width * height + at]!];
        LINEAR.forEach(([p, q, r], c) => out[3 * (y * 2 * width + x) + c] = p! * a + q! * b + r!);
      }
    }
    return Promise.resolve(new Image(2 * width, 2 * height, out));
  },
};

Deno.test("fitColors() finds the map of a decoder that is linear", async () => {
  const colors = await fitColors(decoder, 2);
  colors.forEach((row, c) =>
    row.forEach((weight, i) => assert.ok(Math.abs(weight - LINEAR[c]![i]!) < 0.2, `${row}`))
  );
});

/** A decoder that takes so many milliseconds a call, the first one and the others. */
function slow(first: number, others: number) {
  let calls = 0, time = 0;
  return {
    calls: () => calls,
    now: () => time,
    decode(latents: Latents) {
      time += calls++ === 0 ? first : others;
      return decoder.decode(latents);
    },
  };
}

Deno.test("latentPreview() decodes where that is quick, by the size of the picture", async () => {
  const quick = slow(500, 64), preview = latentPreview(quick, quick.now);
  const latents = (width: number) => ({
    ...{ channels: 2, width, height: 16, data: new Float32Array(2 * 16 * width) },
  });
  assert.equal((await preview(latents(16))).width, 32, "decoded: 64 ms");
  assert.equal((await preview(latents(32))).width, 32, "a pixel for each place: 128 ms");
  assert.equal(quick.calls(), 3);
});

Deno.test("latentPreview() of a slow decoder fits once, and paints one pixel for each place", async () => {
  const decoder = slow(1500, 1), preview = latentPreview(decoder, decoder.now);
  const latents = { channels: 2, width: 2, height: 1, data: Float32Array.of(0, 1, 0, 0) };
  await preview(latents);
  const image = await preview(latents);
  assert.equal(decoder.calls(), 1, "not measured");
  [128, 100, 90, 148, 105, 78].forEach((value, i) =>
    assert.ok(Math.abs(image.data[i]! - value) <= 1, `${image.data}`)
  );
});

Deno.test("paint() clips what is beyond black and white", () => {
  const latents = { channels: 1, width: 2, height: 1, data: Float32Array.of(-9, 9) };
  assert.deepEqual([...paint(latents, [[100, 50], [0, 50], [0, 0]]).data], [0, 50, 0, 255, 50, 0]);
});

Deno.test("formatByEnvironment() knows terminals by name, and asks where it does not", () => {
  const cases: [Record<string, string>, string | undefined][] = [
    [{ TERM: "xterm-kitty", KITTY_WINDOW_ID: "1" }, "kitty"],
    [{ TERM: "xterm-256color", TERM_PROGRAM: "iTerm.app" }, "iterm2"],
    [{ TERM: "xterm-256color", TERM_PROGRAM: "WezTerm" }, "iterm2"],
    [{ TERM: "foot" }, "sixel"],
    [{ TERM: "xterm-256color" }, undefined],
    [{ TERM: "tmux-256color", KITTY_WINDOW_ID: "1" }, "blocks"],
    [{ TERM: "xterm-256color", TMUX: "/tmp/x", TERM_PROGRAM: "iTerm.app" }, "blocks"],
    [{ TERM: "xterm-kitty", NO_COLOR: "1" }, "ascii"],
    [{ TERM: "xterm-kitty", NO_COLOR: "" }, "kitty"],
    [{ TERM: "dumb" }, "ascii"],
    [{}, "ascii"],
  ];
  for (const [variables, format] of cases) {
    assert.equal(formatByEnvironment(env(variables)), format, JSON.stringify(variables));
  }
  assert.ok(hasTrueColor(env({ COLORTERM: "truecolor" })) && !hasTrueColor(env({ TERM: "xterm" })));
});

Deno.test("askFormat() reads the terminal's answer, in however many pieces, or none", async () => {
  const asked = async (...pieces: string[]) => {
    let question = "";
    const write = (text: string) => void (question += text);
    const format = await askFormat({ write, read: () => Promise.resolve(pieces.shift() ?? "") });
    assert.ok(question.endsWith("\x1b[c"));
    return format;
  };
  assert.equal(await asked("\x1b_Gi=31;OK\x1b\\\x1b[?62;4c"), "kitty");
  assert.equal(await asked("\x1b[?6", "2;4;22c"), "sixel");
  assert.equal(await asked("\x1b[?64;22c"), "blocks");
  assert.equal(await asked("\x1b[?1;40c"), "blocks", "40 is not 4");
  assert.equal(await asked(), "blocks");
});

Deno.test("roomIn() and fit() keep within narrow terminals, and keep proportions", () => {
  assert.deepEqual(roomIn({ columns: 200, rows: 60 }), { columns: 48, rows: 24 });
  assert.deepEqual(roomIn({ columns: 30, rows: 10 }), { columns: 29, rows: 7 });
  assert.equal(roomIn({ columns: 8, rows: 24 }), undefined);
  assert.equal(roomIn({ columns: 80, rows: 5 }), undefined);
  assert.deepEqual(fit({ width: 64, height: 64 }, { columns: 29, rows: 7 }), {
    columns: 14,
    rows: 7,
  });
  assert.deepEqual(fit({ width: 900, height: 9 }, { columns: 30, rows: 7 }), {
    columns: 30,
    rows: 1,
  });
});

Deno.test("blocks() shows two pixels a character; ascii() their mean", () => {
  const image = picture(1, 2, 255, 0, 0, 0, 0, 255);
  assert.equal(blocks(image, true), "\x1b[38;2;255;0;0;48;2;0;0;255m▀\x1b[m");
  assert.equal(blocks(image, false), "\x1b[38;5;196;48;5;21m▀\x1b[m");
  assert.equal(
    ascii(
      picture(
        2,
        2,
        ...new Array(3).fill(0),
        ...new Array(3).fill(255),
        ...new Array(3).fill(0),
        ...new Array(3).fill(255),
      ),
    ),
    " @",
  );
});

Deno.test("kitty() sends pieces of at most 4096 bytes, all but the last announcing more", () => {
  const png = "A".repeat(4096) + "BBBB";
  const [, first, second, ...rest] = kitty(png, { columns: 4, rows: 2 }, 7).split("\x1b_G");
  assert.deepEqual(rest, []);
  const [, keys, data] = KITTY.exec(first!)!;
  assert.equal(keys, "a=T,f=100,i=7,p=1,q=2,C=1,c=4,r=2,m=1");
  assert.equal(data!.length, 4096);
  assert.deepEqual(KITTY.exec(second!)!.slice(1), ["q=2,m=0", "BBBB"]);
});

Deno.test("iterm2() gives the size in characters", () => {
  assert.equal(
    iterm2("AAAA", { columns: 4, rows: 2 }),
    "\x1b]1337;File=inline=1;width=4;height=2;preserveAspectRatio=0:AAAA\x07",
  );
});

Deno.test("sixels() paints every pixel once, in its colour", () => {
  const colors = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]];
  const image = new Image(
    5,
    8,
    Uint8ClampedArray.from(
      Array.from({ length: 40 }, (_, i) => colors[i % 4]!).flat(),
    ),
  );
  assert.deepEqual(readSixels(sixels(image)), [...image.data]);
});

/** Reads what `sixels` writes: colours in percent, bands of six rows, runs. */
function readSixels(text: string): number[] {
  const [, width, height, body] = /^\x1bP0;1q"1;1;(\d+);(\d+)(.*)\x1b\\$/s.exec(text)!;
  const out = new Array<number>(3 * Number(width) * Number(height)).fill(-1);
  const palette = new Map<string, number[]>();
  let x = 0, top = 0, color: number[] = [];
  const tokens = body!.matchAll(/#(\d+);2;(\d+);(\d+);(\d+)|#(\d+)|!(\d+)([?-~])|([?-~])|([$-])/g);
  for (const [, register, r, g, b, chosen, count, run, one, move] of tokens) {
    if (register) palette.set(register, [r, g, b].map((share) => Number(share) * 2.55));
    else if (chosen) color = palette.get(chosen)!;
    else if (move) [x, top] = [0, move === "-" ? top + 6 : top];
    else {
      for (let i = 0; i < Number(count ?? 1); i++, x++) {
        const bits = (run ?? one)!.charCodeAt(0) - 63;
        for (let y = 0; y < 6; y++) {
          if (!(bits >> y & 1)) continue;
          const at = 3 * ((top + y) * Number(width) + x);
          assert.equal(out[at], -1, "painted twice");
          color.forEach((value, c) => out[at + c] = value);
        }
      }
    }
  }
  return out.map((value) => Math.round(value));
}

Deno.test("draftIn() gives kitty one number for all drafts of a picture, and the next another", async () => {
  const draft = draftIn("kitty", { room: { columns: 8, rows: 4 }, trueColor: true });
  const image = picture(1, 1, 1, 2, 3);
  const id = async (last: boolean) => /i=(\d+)/.exec((await draft(image, last)).text)![1];
  const ids = [await id(false), await id(false), await id(true), await id(false)];
  assert.equal(new Set(ids.slice(0, 3)).size, 1);
  assert.notEqual(ids[3], ids[0]);
});

Deno.test("draftIn() fills as many lines as it says, in every format of characters", async () => {
  for (const format of ["blocks", "ascii"] as const) {
    const draft = draftIn(format, { room: { columns: 10, rows: 4 }, trueColor: false });
    const { text, rows } = await draft(picture(2, 2, ...new Array(12).fill(9)), false);
    assert.equal(text.split("\r\n").length, rows);
  }
});
