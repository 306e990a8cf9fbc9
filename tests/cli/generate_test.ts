/** `latent generate` as a user meets it: exit codes, one line of error, nothing half written. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { main } from "../../cli.ts";
import { inFolder } from "./process.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const MODEL = join(ROOT, "tests/golden/reference/models/sd1");
const SMALL = ["--width", "64", "--height", "64", "--steps", "2", "--seed", "5"];

/** Runs in this process; what would go to standard error comes back. */
async function run(...args: string[]): Promise<{ code: number; errors: string[] }> {
  const errors: string[] = [], before = console.error;
  console.error = (...values: unknown[]) => errors.push(values.join(" "));
  try {
    return { code: await main(["generate", ...args, "--quiet"]), errors };
  } finally {
    console.error = before;
  }
}

/** Runs as a process of its own, with text on standard input. */
async function spawn(args: string[], stdin = ""): Promise<Deno.CommandOutput> {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", join(ROOT, "cli.ts"), ...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = process.stdin.getWriter();
  // A program that stops before reading its input closes the pipe.
  await writer.write(new TextEncoder().encode(stdin)).catch(() => {});
  await writer.close().catch(() => {});
  return await process.output();
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** A copy of the small model, to damage. */
async function copyModel(folder: string): Promise<string> {
  const copy = join(folder, "model");
  const copyFolder = async (from: string, to: string) => {
    await Deno.mkdir(to);
    for await (const { name, isDirectory } of Deno.readDir(from)) {
      if (isDirectory) await copyFolder(join(from, name), join(to, name));
      else await Deno.copyFile(join(from, name), join(to, name));
    }
  };
  await copyFolder(MODEL, copy);
  return copy;
}

/** Asserts one line that matches, the exit code, and that no picture was left. */
async function fails(args: string[], code: number, line: RegExp): Promise<void> {
  await inFolder(async (folder) => {
    const result = await run("a fox", ...args, "--output", join(folder, "x.png"));
    assert.deepEqual([result.code, result.errors.length], [code, 1], result.errors.join("\n"));
    assert.match(result.errors[0]!, line);
    assert.ok(!result.errors[0]!.includes("\n"), "more than one line");
    assert.deepEqual([...Deno.readDirSync(folder)], []);
  });
}

const BAD_USAGE: readonly (readonly [what: string, args: string[], line: RegExp])[] = [
  ["steps 0", ["--steps", "0"], /--steps takes 1 to/],
  ["guidance NaN", ["--guidance-scale", "NaN"], /--guidance-scale takes a number; got "NaN"/],
  ["an unknown flag", ["--stepz", "3"], /Unknown flag --stepz\. Did you mean --steps\?/],
  ["a width off the grid", ["-m", MODEL, "-W", "100"], /width must be a multiple of 8; got 100/],
  ["an unknown scheduler", ["-m", MODEL, "--scheduler", "eulr"], /eulr.*[Ee]uler/],
  ["two kinds of sigmas", ["--karras", "--exponential"], /--karras and --exponential/],
  ["an unknown provider", ["--provider", "gpu"], /--provider takes cpu, cuda/],
  ["a seed of 70 bits", ["-m", MODEL, "--seed", "1180591620717411303424"], /--seed takes a whole/],
];
for (const [what, args, line] of BAD_USAGE) {
  Deno.test(`latent generate exits with 2 for ${what}`, () => fails(args, 2, line));
}

Deno.test("latent generate says which model folder is not there", () =>
  fails(
    ["--model", "/nowhere/sd"],
    1,
    /Cannot open \/nowhere\/sd: there is no such folder or file/,
  ));

/** What is done to a copy of the model, and the line that must follow. */
const DAMAGES: readonly (readonly [string, (model: string) => Promise<void>, RegExp])[] = [
  [
    "a missing weight file",
    (model) => Deno.remove(join(model, "unet", "diffusion_pytorch_model.safetensors")),
    /Cannot find weights in .*unet/,
  ],
  [
    "a truncated weight file",
    (model) => Deno.truncate(join(model, "unet/diffusion_pytorch_model.safetensors"), 100000),
    /unet\/diffusion_pytorch_model\.safetensors/,
  ],
  [
    "a tensor of the wrong shape",
    (model) => edit(join(model, "unet", "config.json"), { cross_attention_dim: 48 }),
    /attn2\.to_[kqv]\.weight.*got \[.*32\].*expected \[.*48\]/,
  ],
  [
    "an unknown class in model_index.json",
    (model) => edit(join(model, "model_index.json"), { unet: ["diffusers", "UVit2DModel"] }),
    /unet has class UVit2DModel; expected UNet2DConditionModel/,
  ],
  [
    "an unknown pipeline",
    (model) => edit(join(model, "model_index.json"), { _class_name: "KandinskyPipeline" }),
    /pipeline class "KandinskyPipeline" is not known/,
  ],
  [
    "a configuration that is no JSON",
    (model) => Deno.writeTextFile(join(model, "vae", "config.json"), "{"),
    /vae\/config\.json: it is not valid JSON/,
  ],
];

async function edit(path: string, changes: Record<string, unknown>): Promise<void> {
  const json = JSON.parse(await Deno.readTextFile(path));
  await Deno.writeTextFile(path, JSON.stringify({ ...json, ...changes }));
}

for (const [what, damage, line] of DAMAGES) {
  Deno.test(`latent generate exits with 1 for ${what}`, () =>
    inFolder(async (folder) => {
      const model = await copyModel(folder);
      await damage(model);
      await fails(["--model", model, ...SMALL], 1, line);
    }));
}

Deno.test("latent generate finds out before the work that the output cannot be written", async () => {
  const { code, errors } = await run("a fox", "-m", MODEL, "-o", "/proc/nowhere/x.png");
  assert.equal(code, 1);
  assert.match(errors.join("\n"), /^latent: Cannot write \/proc\/nowhere\/x\.png/);
});

Deno.test("latent generate writes a PNG to standard output and events to standard error", async () => {
  const { code, stdout, stderr } = await spawn(
    ["generate", "a fox", "-m", MODEL, ...SMALL, "--json", "--output", "-"],
  );
  assert.equal(code, 0, text(stderr));
  assert.deepEqual([...stdout.subarray(0, 4)], [0x89, 0x50, 0x4e, 0x47]);
  const events = text(stderr).trim().split("\n").map((line) => JSON.parse(line));
  assert.equal(events.filter(({ event }) => event === "step").length, 3); // PNDM: steps + 1
  assert.ok(events.every(({ v, elapsed }) => v === 1 && elapsed >= 0));
  const [{ seconds, elapsed: _, ...image }, done] = events.slice(-2);
  const size = { width: 64, height: 64 };
  const about = { picture: 0, path: "-", seed: 5, prompt: "a fox", ...size };
  assert.deepEqual(image, { v: 1, event: "image", ...about });
  assert.ok(seconds > 0);
  assert.deepEqual({ ...done, elapsed: 0 }, {
    ...{ v: 1, event: "done", elapsed: 0 },
    ...{ pictures: 1, failed: 0, exit: 0 },
  });
});

Deno.test("latent generate reads one prompt a line and names the pictures by template", () =>
  inFolder(async (folder) => {
    const output = join(folder, "{index}-{prompt}-{seed}.png");
    const flags = ["generate", "-m", MODEL, ...SMALL, "--count", "2", "-o", output, "-q"];
    const { code, stderr } = await spawn(flags, "a fox\n\n  a hen  \n");
    assert.deepEqual([code, text(stderr)], [0, ""]);
    const names = [...Deno.readDirSync(folder)].map((entry) => entry.name).sort();
    assert.deepEqual(names, [
      "0000-a-fox-5.png",
      "0001-a-fox-6.png",
      "0002-a-hen-5.png",
      "0003-a-hen-6.png",
    ]);
  }));

Deno.test("latent generate stops within a step when interrupted, and leaves nothing behind", () =>
  inFolder(async (folder) => {
    const process = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "-A", "--no-check", join(ROOT, "cli.ts"), "generate", "a fox", "-m", MODEL],
        ...["--steps", "900", "--json", "--output", join(folder, "x.png")],
      ],
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    let seen = "";
    const reader = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
    for (let done = false; !done && !seen.includes('"event":"step"');) {
      const chunk = await reader.read();
      done = chunk.done;
      seen += chunk.value ?? "";
    }
    process.kill("SIGINT");
    while (!(await reader.read()).done);
    const errors = await new Response(process.stderr).text();
    const { code } = await process.status;
    assert.deepEqual([code, errors.trim()], [130, "latent: interrupted"]);
    assert.deepEqual([...Deno.readDirSync(folder)], []);
  }));

Deno.test("latent generate gives the same bytes for the same seed, and others for another", () =>
  inFolder(async (folder) => {
    const draw = async (name: string, seed: string) => {
      const path = join(folder, name);
      const { code } = await run("a fox", "-m", MODEL, ...SMALL, "--seed", seed, "-o", path);
      assert.equal(code, 0);
      return await Deno.readFile(path);
    };
    const [a, b, c] = [
      await draw("a.png", "7"),
      await draw("b.png", "7"),
      await draw("c.png", "8"),
    ];
    assert.deepEqual(a, b);
    assert.notDeepEqual(a, c);
  }));
