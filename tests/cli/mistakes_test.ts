/** What people get wrong, on every command: one clear line and the right exit status. */

import assert from "node:assert/strict";
import { lineOf } from "../../cli/failure.ts";
import { inFolder, run, runLoudly, SMALL } from "./process.ts";
import { Image } from "../../mod.ts";

/** Calls, their exit status, and what the line says. */
const MISTAKES: readonly (readonly [call: string, code: number, line: RegExp])[] = [
  ["generat", 2, /^Unknown command "generat"\. Did you mean generate\? See latent --help\.$/],
  ["--bogus", 2, /^Unknown flag "--bogus"\. See latent --help\.$/],
  ["help generat", 2, /Did you mean generate\?/],
  ["generate fox --stps 3", 2, /^Unknown flag --stps\. Did you mean --steps\?$/],
  ["generate fox --steps 1e3", 2, /^--steps takes a whole number; got "1e3"\.$/],
  ["generate fox --seed 18446744073709551616", 2, /^--seed takes a whole number of 64 bits; got/],
  ["generate fox --seed -9223372036854775809", 2, /^--seed takes a whole number of 64 bits; got/],
  ["generate fox --output=", 2, /^--output needs a value PATH; got ""\.$/],
  ["generate fox --model=", 2, /^--model needs a value MODEL; got ""\.$/],
  ["generate fox -o x.bmp", 2, /^Cannot write x\.bmp: pictures are \.png, \.jpg, \.jpeg files/],
  ["generate fox -o text.txt/x.png", 1, /^Cannot write \S+: text\.txt is a file, not a folder\./],
  ["generate fox --image folder", 1, /^Cannot read folder: it is a folder; expected a picture\.$/],
  ["generate fox --image text.txt", 1, /^Cannot read text\.txt: it is not a picture/],
  ["generate fox --image empty.png", 1, /^Cannot read empty\.png: it is empty\.$/],
  ["generate fox --model ok.png", 1, /it looks like a picture\.$/],
  ["generate fox --model text.txt", 1, /it looks like a text file\.$/],
  ["generate fox --model nowhere", 1, /^Cannot open nowhere: there is no such folder or file\./],
  ["generate fox --extend left", 2, /^--extend takes sides with pixels/],
  ["generate fox --sigmas a,b", 2, /^--sigmas takes numbers with commas/],
  ["generate fox --plot-x steps=1,2", 2, /^--plot-x and --plot-y need --grid FILE\.$/],
  ["generate fox --karras --exponential", 2, /^Take one of --karras and --exponential\.$/],
  ["generate --prompts nowhere.txt", 1, /^Cannot read the prompts: /],
  ["generate --from text.txt", 1, /^Cannot read text\.txt: it is not a picture/],
  ["interpolate", 2, /^No prompts\. Try: latent interpolate/],
  ["interpolate a b", 2, /^Prompts go behind --from, --prompt and --to; got "a"\.$/],
  ["interpolate --from a --to b -o text.txt/", 1, /^Cannot write text\.txt\/: it is a file, not a/],
  ["interpolate --from a --to b -o x.bmp", 2, /^Cannot write x\.bmp: animations are/],
  ["explain nonsense", 2, /^Unknown topic "nonsense"\. See latent explain\.$/],
  ["explain guidanc", 2, /Did you mean guidance\?$/],
  ["explain guidance ok.png", 2, /^latent explain guidance cannot use "ok\.png"\.$/],
  ["explain image ok.png ok.png", 2, /^latent explain image cannot use "ok\.png"\.$/],
  ["explain guidance --html text.txt/x.html", 1, /^Cannot write to text\.txt: /],
  ["explain model nowhere", 1, /^Cannot open nowhere: there is no such file or folder\.$/],
  ["models bogus", 2, /^latent models knows list, pull and remove; got "bogus"\.$/],
  ["models pull", 2, /^latent models pull takes a name such as owner\/name; got nothing\.$/],
  ["models remove nonsense", 2, /takes a name such as owner\/name; got "nonsense"\.$/],
  ["verify", 2, /^Name one picture to verify\.$/],
  ["verify text.txt", 1, /^Cannot read text\.txt: it is not a picture/],
  ["verify ok.png --tolerance 300", 2, /^--tolerance takes 0 to 255; got 300\.$/],
  ["train bogus", 2, /^Unknown kind of training "bogus"\.$/],
  ["train lor", 2, /Did you mean lora\?$/],
  ["train lora", 2, /^--images is missing\. See latent train --help\.$/],
  ["train lora -o o.png", 2, /^latent train lora writes a \.safetensors file; got "o\.png"\.$/],
  ["train lora --mixed-precision bf16", 2, /^--mixed-precision takes no, fp16; got "bf16"\.$/],
  ["train lora --rank 0", 2, /^--rank takes 1 to 4096; got 0\.$/],
  ["upscale", 2, /^No picture\./],
  ["upscale ok.png", 2, /^No upscaler: give --model FILE\.onnx\.$/],
  ["upscale ok.png --model nowhere.onnx", 1, /there is no such file\. Give an ONNX file\.$/],
  ["upscale ok.png --model text.txt", 1, /^Cannot use text\.txt as an upscaler: it is not an ONNX/],
  ["export", 2, /^Say where to: --output DIR\.$/],
  ["export --output text.txt", 1, /^Cannot write text\.txt\/text_encoder: not a directory\.$/],
  ["export extra --output folder", 2, /^What is "extra"\? See --help\.$/],
];

/** Those of commands that have no --quiet. */
const LOUD: typeof MISTAKES = [
  ["metadata", 2, /^Name a picture\./],
  ["metadata nowhere.png", 1, /^Cannot read nowhere\.png: there is no such file\.$/],
  ["metadata folder", 1, /^Cannot read folder: it is a folder/],
  ["doctor extra", 2, /^What is "extra"\? See --help\.$/],
  ["runtime bogus", 2, /^What is "bogus"\? See --help\.$/],
  ["runtime install", 2, /^Say what to install\.$/],
  ["runtime install nowhere.whl", 1, /^Cannot read nowhere\.whl: no such file or directory\.$/],
  ["runtime install text.txt", 1, /^Cannot install ONNX Runtime from text\.txt: it is no folder/],
  ["completions", 2, /got nothing\.$/],
  ["completions tcsh", 2, /got "tcsh"\.$/],
  ["man bogus", 2, /^Unknown command "bogus"\./],
];

Deno.test("every command tells a mistake in one line, with the right exit status", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/text.txt`, "hi there, reader\n");
    await Deno.writeTextFile(`${folder}/empty.png`, "");
    await Deno.mkdir(`${folder}/folder`);
    await new Image(64, 64, new Uint8ClampedArray(3 * 64 * 64)).save(`${folder}/ok.png`);
    const before = Deno.cwd();
    Deno.chdir(folder);
    try {
      for (const [call, expected, line] of [...MISTAKES, ...LOUD]) {
        const isSmall = /^(generate|interpolate) /.test(call) && !call.includes("--model");
        const words = [...call.split(" "), ...(isSmall ? SMALL.slice(0, 6) : [])];
        const { code, errors } = LOUD.some(([loud]) => loud === call)
          ? await runLoudly(...words)
          : await run(...words);
        assert.equal(code, expected, `${call}: ${errors}`);
        assert.match(errors, /^latent: [^\n]+$/, call);
        assert.match(errors.slice("latent: ".length), line, call);
      }
    } finally {
      Deno.chdir(before);
    }
  }));

Deno.test("lineOf() says in our words what Deno says of files", () => {
  const line = (message: string) => lineOf(new Error(message));
  assert.equal(
    line("No such file or directory (os error 2): stat 'a b'"),
    "latent: Cannot read a b: no such file or directory.",
  );
  assert.equal(
    line("Permission denied (os error 13): mkdir '/x'"),
    "latent: Cannot write /x: permission denied.",
  );
  assert.equal(line("Something else: x"), "latent: Something else: x");
});
