/** The program run from a web server, and installed: as people do who have no copy of it. */

import assert from "node:assert/strict";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { inTemporaryFolder } from "../weights/temporary_folder.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const SEVEN = [
  ...["generate", "a red seven on a blue background", "--seed", "1", "--steps", "2"],
  ...["--no-metadata", "--quiet", "--output", "-"],
];

/** What plain web servers say of the files. */
const TYPES: Readonly<Record<string, string>> = {
  ".ts": "video/mp2t",
  ".json": "application/json",
};

/** Serves this folder's sources and assets on the loopback while `work` runs. */
async function served(work: (url: string, asked: string[]) => Promise<void>): Promise<void> {
  const asked: string[] = [];
  await using server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    async (request) => {
      const path = decodeURIComponent(new URL(request.url).pathname);
      asked.push(path);
      try {
        const body = await Deno.readFile(join(ROOT, path));
        const type = TYPES[extname(path)] ?? "application/octet-stream";
        return new Response(body, { headers: { "content-type": type } });
      } catch {
        return new Response("not found", { status: 404 });
      }
    },
  );
  await work(`http://127.0.0.1:${server.addr.port}`, asked);
}

/** Runs `deno` with an empty cache of remote modules and of assets. */
async function deno(args: readonly string[], env: Record<string, string>) {
  const output = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: env.LATENT_CACHE!,
    env,
    stdin: "null",
  }).output();
  return { ...output, errors: new TextDecoder().decode(output.stderr).trim() };
}

/** A folder for everything that a run keeps; npm packages come from this machine's own cache. */
const inFolder = (work: (env: Record<string, string>) => Promise<void>) =>
  inTemporaryFolder(async (folder) => {
    const env = { LATENT_CACHE: folder, DENO_DIR: join(folder, "deno"), NO_COLOR: "1" };
    await Deno.mkdir(env.DENO_DIR);
    await Deno.symlink(await npmCache(), join(env.DENO_DIR, "npm"));
    await work(env);
  });

async function npmCache(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  return JSON.parse(new TextDecoder().decode(stdout)).npmCache;
}

Deno.test("cli.ts runs from a URL with an empty cache, and draws what it draws here", () =>
  inFolder((env) =>
    served(async (url, asked) => {
      const here = await deno(["run", "-A", "--no-check", join(ROOT, "cli.ts"), ...SEVEN], env);
      assert.deepEqual([here.code, here.errors], [0, ""]);
      const run = ["run", "-A", "--no-check", "--quiet", `${url}/cli.ts`, ...SEVEN];
      const there = await deno(run, env);
      assert.deepEqual([there.code, there.errors], [0, ""]);
      assert.deepEqual(there.stdout, here.stdout);
      const assets = () => asked.filter((path) => path.startsWith("/assets/digits/")).length;
      const first = assets();
      assert.ok(first > 5);
      const again = await deno(run, env);
      assert.deepEqual(again.stdout, here.stdout);
      assert.equal(assets(), first, "assets were fetched twice");
    })
  ));

Deno.test("mod.ts is imported from a URL", () =>
  inFolder((env) =>
    served(async (url) => {
      const script = join(env.LATENT_CACHE!, "script.ts");
      await Deno.writeTextFile(
        script,
        `import { StableDiffusion } from "${url}/mod.ts";
         await using sd = await StableDiffusion.open();
         const image = await sd.generate({ prompt: "a green eight", seed: 2, steps: 2 });
         console.log(image.width, image.height);`,
      );
      const { code, stdout, errors } = await deno(["run", "-A", "--no-check", "-q", script], env);
      assert.deepEqual([code, errors], [0, ""]);
      assert.equal(new TextDecoder().decode(stdout), "64 64\n");
    })
  ));

Deno.test("deno install --global makes a command that draws", () =>
  inFolder(async (env) => {
    const root = join(env.LATENT_CACHE!, "root");
    const flags = ["--global", "--allow-all", "--no-check", "--quiet", "--name", "latent"];
    const installed = await deno(["install", ...flags, "--root", root, join(ROOT, "cli.ts")], env);
    assert.equal(installed.code, 0, installed.errors);
    const { code, stdout } = await new Deno.Command(join(root, "bin", "latent"), {
      args: SEVEN,
      env: { ...env, PATH: `${join(Deno.execPath(), "..")}:${Deno.env.get("PATH")}` },
    }).output();
    assert.equal(code, 0);
    assert.deepEqual([...stdout.subarray(0, 4)], [0x89, 0x50, 0x4e, 0x47]);
  }));
