/** `--batch` as a user meets it: the same files, sooner. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { main } from "../../cli.ts";
import { gathered } from "../../pipeline/gathered.ts";
import { Image } from "../../mod.ts";
import { inFolder, MODEL, names, run, SMALL } from "./process.ts";

// deno-lint-ignore no-explicit-any -- events have many shapes
type Told = Record<string, any>;

/** Runs with `--json`; its exit status and events. */
async function told(...args: string[]): Promise<{ code: number; events: Told[] }> {
  const decoder = new TextDecoder(), before = Deno.stdout.writeSync;
  let text = "";
  Deno.stdout.writeSync = (bytes) => {
    text += decoder.decode(bytes, { stream: true });
    return bytes.length;
  };
  try {
    const code = await main([...args, "--json"]);
    return { code, events: text.trim().split("\n").map((line) => JSON.parse(line)) };
  } finally {
    Deno.stdout.writeSync = before;
  }
}

/** Flags of pictures that take longer than anybody waits. */
const LONG = ["--model", MODEL, "-W", "64", "-H", "64", "--steps", "900"];

/** Files in a folder with what they hold. */
async function files(folder: string): Promise<Record<string, string>> {
  const hash = async (name: string) => {
    const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(join(folder, name)));
    return new Uint8Array(digest).toHex();
  };
  return Object.fromEntries(
    await Promise.all(names(folder).map(async (name) => [name, await hash(name)])),
  );
}

const LINES = [
  "a hill",
  `{"prompt": "a wood", "steps": 0}`,
  `{"prompt": "a (red:1.2) sea", "guidanceScale": 3, "seed": 9}`,
  `{"prompt": "a wood", "negativePrompt": "blue", "count": 2}`,
  `{"prompt": "a lake", "steps": 3}`,
].join("\n");

Deno.test("latent generate --batch writes the very files that it writes without", () =>
  inFolder(async (folder) => {
    const lines = join(folder, "lines.txt");
    await Deno.writeTextFile(lines, LINES);
    const draw = (batch: string) => [
      ...["generate", "--prompts", lines, ...SMALL, "--seed", "4", "--batch", batch],
      ...["-o", `${join(folder, batch)}/`],
    ];
    const alone = await told(...draw("1")), together = await told(...draw("4"));
    assert.deepEqual([alone.code, together.code], [1, 1]);
    assert.equal(Object.keys(await files(join(folder, "4"))).length, 5);
    assert.deepEqual(await files(join(folder, "4")), await files(join(folder, "1")));
    assert.equal((await run("verify", join(folder, "4/0001-9.png"))).code, 0);

    const { events } = together;
    const of = (event: string) => events.filter((one) => one.event === event);
    assert.deepEqual(of("image").map(({ picture, line }) => [picture, line]), [
      ...[[0, 1], [1, 3], [2, 4], [3, 4], [4, 5]],
    ]);
    assert.deepEqual(of("error").map(({ line }) => line), [2]);
    assert.match(of("warning")[0]!.message, /differ in steps/);
    const ends = ["image", "error"];
    assert.deepEqual(events.filter((one) => ends.includes(one.event)).map(({ line }) => line), [
      ...[1, 2, 3, 4, 4, 5],
    ]);
    // Three pictures step by step, then the one with more steps.
    const steps = of("step").map(({ picture, step }) => `${picture}:${step}`);
    assert.deepEqual(steps.slice(0, 3), ["0:1", "1:1", "2:1"]);
    const alike = (told: Told[]) =>
      told.filter(({ event }) => event === "step").map(({ picture, step, timestep, sigma }) =>
        JSON.stringify({ picture, step, timestep, sigma })
      ).sort();
    assert.deepEqual(alike(events), alike(alone.events));
  }));

Deno.test("latent generate --batch: a picture that takes too long is told of, the run goes on", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(join(folder, "lines.txt"), `a hill\n{"prompt":"a sea"}\n`);
    const { code, events } = await told(
      ...["generate", "--prompts", join(folder, "lines.txt"), ...LONG],
      ...["--batch", "2", "--timeout", "0.4", "-o", `${folder}/`],
    );
    const errors = events.filter(({ event }) => event === "error");
    assert.deepEqual([code, errors.map(({ kind, line }) => [kind, line])], [1, [
      ["DeadlineError", 1],
      ["DeadlineError", 2],
    ]]);
  }));

Deno.test("latent generate --batch: Ctrl-C stops within a step", () =>
  inFolder(async (folder) => {
    const cli = fileURLToPath(new URL("../../cli.ts", import.meta.url));
    const args = ["run", "-A", "--no-check", cli, "generate", "a hill", ...LONG, "--json"];
    const process = new Deno.Command(Deno.execPath(), {
      args: [...args, "--count", "4", "--batch", "4", "-o", join(folder, "out/")],
      stdout: "piped",
      stderr: "null",
    }).spawn();
    let stopped = false;
    for await (const chunk of process.stdout.pipeThrough(new TextDecoderStream())) {
      if (stopped || !/"step"/.test(chunk)) continue;
      stopped = true;
      process.kill("SIGINT");
    }
    assert.equal((await process.status).code, 130);
    assert.deepEqual(names(join(folder, "out")), []);
  }));

Deno.test("latent interpolate --batch draws the same frames, and keeps those that are there", () =>
  inFolder(async (folder) => {
    const walk = (batch: string, into: string) =>
      told(
        ...["interpolate", ...SMALL, "--from", "a hill", "--to", "a sea", "--frames", "5"],
        ...["--seed", "1", "--to-seed", "2", "--batch", batch, "-o", `${join(folder, into)}/`],
      );
    await walk("1", "alone");
    await walk("3", "together");
    const alone = await files(join(folder, "alone"));
    assert.deepEqual(await files(join(folder, "together")), alone);
    for (const i of [1, 2, 4]) await Deno.remove(join(folder, `together/frame_000${i}.png`));
    const { events } = await walk("4", "together");
    const images = events.filter(({ event }) => event === "image");
    assert.deepEqual(images.map(({ picture, kept = false }) => [picture, kept]), [
      ...[[0, true], [1, false], [2, false], [3, true], [4, false]],
    ]);
    assert.deepEqual(await files(join(folder, "together")), alone);
  }));

Deno.test("latent interpolate --batch with feedback says that frames are drawn one by one", () =>
  inFolder(async (folder) => {
    const { code, events } = await told(
      ...["interpolate", ...SMALL, "--from", "a hill", "--frames", "2", "--feedback", "0.5"],
      ...["--batch", "2", "-o", `${folder}/`],
    );
    const warnings = events.filter(({ event }) => event === "warning");
    assert.deepEqual([code, warnings.length], [0, 1]);
    assert.match(warnings[0]!.message, /feedback/);
  }));

Deno.test("latent generate --batch puts a plot's pictures where they belong", () =>
  inFolder(async (folder) => {
    const plot = (batch: string) =>
      run(
        ...["generate", "a hill", ...SMALL, "--plot-x", "guidance-scale=2,5,9", "--seed", "1"],
        ...["--plot-y", "steps=2,3", "--batch", batch, "--grid", join(folder, `${batch}.png`)],
      );
    assert.deepEqual([(await plot("1")).code, (await plot("3")).code], [0, 0]);
    const [alone, together] = await Promise.all(
      ["1", "3"].map((name) => Image.load(join(folder, `${name}.png`))),
    );
    assert.deepEqual(together!.data, alone!.data);
  }));

/** Groups of at most three numbers that are all even or all odd. */
async function groupsOf(items: AsyncIterable<number>, patience?: number): Promise<number[][]> {
  const joins = ([first]: readonly number[], item: number) => (first! - item) % 2 === 0;
  return await Array.fromAsync(gathered(items, { size: () => 3, joins, patience }));
}

Deno.test("gathered() groups what goes together, up to the size", async () => {
  async function* items() {
    yield* [1, 3, 5, 7, 2, 4, 1];
  }
  assert.deepEqual(await groupsOf(items()), [[1, 3, 5], [7], [2, 4], [1]]);
});

Deno.test("gathered() does not let a group wait for an item that is late", async () => {
  const asked = Promise.withResolvers<void>();
  async function* items() {
    yield 1;
    yield 3;
    await asked.promise; // given once the first group is there
    yield 5;
  }
  const joins = () => true, groups: number[][] = [];
  for await (const group of gathered(items(), { size: () => 9, joins, patience: 20 })) {
    groups.push(group);
    asked.resolve();
  }
  assert.deepEqual(groups, [[1, 3], [5]]);
});

Deno.test("gathered() ends what it reads from when nobody wants more", async () => {
  let ended = false;
  async function* items() {
    try {
      for (let i = 0;; i += 2) yield i;
    } finally {
      ended = true;
    }
  }
  for await (const _ of gathered(items(), { size: () => 2, joins: () => true })) break;
  assert.ok(ended);
});
