import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inFolder, pictures } from "./run.ts";

const CLI = fileURLToPath(new URL("../../cli.ts", import.meta.url));

/** Starts `latent train lora` and gives its events, until they end or `killAt` updates are done. */
async function losses(output: string, killAt: number, ...more: string[]): Promise<number[]> {
  const flags = ["--images", pictures("outline"), "--token", "outline", "--rank", "1"];
  const common = ["--steps", "6", "--save-every", "2", "--json", "--output", output];
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", CLI, "train", "lora", ...flags, ...common, ...more],
    stdout: "piped",
  }).spawn();
  const found: number[] = [];
  let rest = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const event of lines.map((line) => JSON.parse(line))) {
      if (event.event === "update") found.push(event.loss);
      if (found.length === killAt) child.kill("SIGKILL");
    }
  }
  await child.status;
  return found;
}

Deno.test("latent train goes on after kill -9 as if there had been none", async () => {
  await inFolder(async (folder) => {
    const whole = join(folder, "whole.safetensors"), cut = join(folder, "cut.safetensors");
    const expected = await losses(whole, Infinity);
    assert.equal(expected.length, 6);
    await losses(cut, 5);
    const rest = await losses(cut, Infinity, "--resume");
    assert.ok(rest.length === 2 || rest.length === 4, `${rest.length} updates after the kill`);
    assert.deepEqual(rest, expected.slice(-rest.length));
    assert.deepEqual(await Deno.readFile(cut), await Deno.readFile(whole));
  });
});

Deno.test("latent train says so when the disk is full, and leaves no half file", async () => {
  await inFolder(async (folder) => {
    const output = join(folder, "x.safetensors");
    const train = ["run", "-A", "--quiet", "--no-check", CLI, "train", "textual-inversion"];
    const flags = ["--images", pictures("teal"), "--token", "<x>", "--init-word", "red"];
    // A limit on the size of files stands for a full disk: writing fails in the same place.
    const limited = 'ulimit -f 1; trap "" XFSZ; exec "$@"';
    const { code, stderr } = await new Deno.Command("sh", {
      args: ["-c", limited, "sh", Deno.execPath(), ...train, ...flags]
        .concat("--vectors", "8", "--steps", "1", "--quiet", "--output", output),
    }).output();
    assert.equal(code, 1);
    assert.match(new TextDecoder().decode(stderr), /Cannot save the checkpoint .*File too large/);
    assert.deepEqual([...Deno.readDirSync(folder)], []);
  });
});
