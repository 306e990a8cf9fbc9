/** Downloads from a server on this machine that speaks the Hub's API. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { fetchModel, isHubId } from "../../pipeline/hub.ts";
import { type CachedModelInfo, cachedModels } from "../../pipeline/hub_cache.ts";
import { DownloadError } from "../../pipeline/hub_download.ts";
import { neededFiles } from "../../pipeline/hub_files.ts";

const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const encode = (text: string) => new TextEncoder().encode(text);
const LARGE = new Uint8Array(300_000).map((_, i) => (i * 31) % 251);
const FILES: Record<string, Uint8Array> = {
  "model_index.json": encode('{"_class_name":"StableDiffusionPipeline"}'),
  "README.md": encode("not needed"),
  "scheduler/scheduler_config.json": encode("{}"),
  "tokenizer/vocab.json": encode('{"a":0}'),
  "unet/config.json": encode('{"a":1}'),
  "unet/diffusion_pytorch_model.safetensors": LARGE,
  "unet/diffusion_pytorch_model.bin": LARGE.slice(1),
  "unet/diffusion_pytorch_model.fp16.safetensors": LARGE.slice(2),
};

const hex = (kind: string, ...parts: (Uint8Array | string)[]) => {
  const hash = createHash(kind);
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
};

interface Server extends AsyncDisposable {
  readonly url: string;
  readonly requests: string[];
  /** Called for each file; may answer in the server's place. */
  intercept: (path: string, request: Request) => Response | undefined;
}

function serve(): Server {
  const requests: string[] = [];
  const state = {
    intercept: (_path: string, _request: Request): Response | undefined => undefined,
  };
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    const { pathname, host } = new URL(request.url);
    requests.push(pathname);
    if (pathname.startsWith("/api/models/missing/")) return new Response("no", { status: 404 });
    if (pathname.startsWith("/api/models/gated/")) return new Response("no", { status: 401 });
    if (pathname.includes("/revision/")) return Response.json({ id: "x", _id: "x", sha: COMMIT });
    if (pathname.includes("/tree/")) return Response.json(listing());
    const path = pathname.split(`/resolve/${COMMIT}/`)[1];
    // The Hub sends large files on to another host.
    if (path && !pathname.startsWith("/cdn")) {
      return Response.redirect(`http://${host}/cdn/resolve/${COMMIT}/${path}`, 302);
    }
    return state.intercept(path!, request) ?? file(path!, request);
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    requests,
    get intercept() {
      return state.intercept;
    },
    set intercept(value) {
      state.intercept = value;
    },
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

function listing() {
  return Object.entries(FILES).map(([path, bytes]) => {
    const oid = hex("sha1", `blob ${bytes.length}\0`, bytes);
    const lfs = { oid: hex("sha256", bytes), size: bytes.length, pointerSize: 130 };
    return { type: "file", path, size: bytes.length, oid, ...(bytes.length > 1000 && { lfs }) };
  });
}

function file(path: string, request: Request): Response {
  const bytes = FILES[path]!,
    from = Number(/bytes=(\d+)-/.exec(request.headers.get("range") ?? "")?.[1] ?? 0);
  const headers = { "content-length": String(bytes.length - from) };
  return new Response(bytes.slice(from), { status: from > 0 ? 206 : 200, headers });
}

async function withHub(
  work: (
    hub: Server,
    get: (model: string, options?: Record<string, unknown>) => Promise<string>,
    cache: string,
  ) => Promise<void>,
): Promise<void> {
  const cache = await Deno.makeTempDir();
  try {
    await using hub = serve();
    const env = { HF_HUB_CACHE: cache, HF_ENDPOINT: hub.url, HF_TOKEN: "secret" };
    await work(
      hub,
      (model, options) => fetchModel(model, { env, retryDelay: 1, ...options }),
      cache,
    );
  } finally {
    await Deno.remove(cache, { recursive: true });
  }
}

Deno.test("isHubId() takes owner/name and a revision, and no paths", () => {
  for (
    const id of ["a/b", "stable-diffusion-v1-5/stable-diffusion-v1-5", "a/b@fp16", "a/b@refs/pr/1"]
  ) {
    assert.ok(isHubId(id), id);
  }
  for (const id of ["a", "/a/b", "./a/b", "../b", "a/b/c", "a/..", "a b/c"]) {
    assert.ok(!isHubId(id), id);
  }
});

Deno.test("fetchModel() gets what a pipeline needs, in the layout of the shared cache", () =>
  withHub(async (hub, get, cache) => {
    const folder = await get("me/tiny");
    assert.equal(folder, join(cache, "models--me--tiny", "snapshots", COMMIT));
    const path = join(folder, "unet/diffusion_pytorch_model.safetensors");
    assert.deepEqual(await Deno.readFile(path), LARGE);
    assert.equal(
      await Deno.readLink(path),
      `../../../blobs/${hex("sha256", LARGE)}`,
    );
    const names = hub.requests.filter((p) => p.startsWith("/cdn")).map((p) => p.split("/").at(-1));
    assert.deepEqual(names.sort(), [
      "config.json",
      "diffusion_pytorch_model.safetensors",
      "model_index.json",
      "scheduler_config.json",
      "vocab.json",
    ]);
    hub.requests.length = 0;
    await get("me/tiny");
    assert.deepEqual(hub.requests.filter((p) => p.includes("resolve")), [], "nothing twice");
  }));

Deno.test("cachedModels() lists what was fetched, and what was broken off", () =>
  withHub(async (_hub, get, cache) => {
    assert.deepEqual(await cachedModels(join(cache, "none")), []);
    await get("me/tiny");
    await Deno.writeTextFile(join(cache, "models--me--tiny/blobs/x.incomplete"), "half");
    const [{ name, bytes, incomplete, revisions }, ...more] = await cachedModels(cache) as [
      CachedModelInfo,
    ];
    const needed = neededFiles(listing().map(({ path, size }) => ({ path, size, hash: "" })));
    assert.deepEqual(
      [name, bytes, incomplete, revisions, more.length],
      ["me/tiny", needed.reduce((sum, { size }) => sum + size, 0), 4, { main: COMMIT }, 0],
    );
  }));

Deno.test("fetchModel() opens no socket offline, and says what to do when nothing is there", () =>
  withHub(async (hub, get) => {
    await assert.rejects(get("me/tiny", { offline: true }), /not in the cache.*without --offline/);
    const folder = await get("me/tiny");
    hub.requests.length = 0;
    assert.equal(await get("me/tiny", { offline: true }), folder);
    assert.deepEqual(hub.requests, []);
  }));

Deno.test("fetchModel() goes on where a broken connection ended", () =>
  withHub(async (hub, get) => {
    const ranges: (string | null)[] = [];
    hub.intercept = (path, request) => {
      if (path !== "unet/diffusion_pytorch_model.safetensors") return undefined;
      const range = request.headers.get("range");
      ranges.push(range);
      const from = Number(/bytes=(\d+)-/.exec(range ?? "")?.[1] ?? 0);
      if (from >= 200_000) return undefined;
      // A part of the answer, then the line breaks.
      const part = LARGE.slice(from, from + 100_000);
      const body = new ReadableStream({
        start(controller) {
          controller.enqueue(part);
          setTimeout(() => controller.error(new Error("cut")), 20);
        },
      });
      return new Response(body, { status: from > 0 ? 206 : 200 });
    };
    const folder = await get("me/tiny");
    const path = join(folder, "unet/diffusion_pytorch_model.safetensors");
    assert.deepEqual(await Deno.readFile(path), LARGE);
    assert.deepEqual(ranges, [null, "bytes=100000-", "bytes=200000-"]);
  }));

Deno.test("fetchModel() waits and tries again when there are too many requests", () =>
  withHub(async (hub, get) => {
    let refused = 0;
    hub.intercept = () => refused++ < 3 ? new Response("slow down", { status: 429 }) : undefined;
    await get("me/tiny");
    assert.ok(refused > 3);
  }));

Deno.test("fetchModel() throws away what has the wrong hash", () =>
  withHub(async (hub, get, cache) => {
    hub.intercept = (path) =>
      path.startsWith("unet/diff") ? new Response(LARGE.map((b) => b ^ 1)) : undefined;
    await assert.rejects(get("me/tiny"), (error: Error) => {
      assert.ok(error instanceof DownloadError);
      assert.match(error.message, /has hash [0-9a-f]{64}, expected/);
      return true;
    });
    const blobs = [...Deno.readDirSync(join(cache, "models--me--tiny", "blobs"))];
    assert.ok(
      !blobs.some(({ name }) => name.includes(hex("sha256", LARGE)) && !name.endsWith("lock")),
    );
  }));

Deno.test("fetchModel() says that the disk is full, at once, and keeps what has come", () =>
  withHub(async (hub, get, cache) => {
    const blobs = join(cache, "models--me--tiny", "blobs");
    await Deno.mkdir(blobs, { recursive: true });
    // Every write to this device fails as on a full disk.
    await Deno.symlink("/dev/full", join(blobs, `${hex("sha256", LARGE)}.incomplete`));
    await assert.rejects(get("me/tiny"), (error: Error) => {
      assert.ok(error instanceof DownloadError);
      assert.match(error.message, /the disk of .* is full; the file takes 300000 bytes/);
      return true;
    });
    const asked = hub.requests.filter((path) => path.includes("model.safetensors"));
    assert.ok(asked.length <= 2, "one try, which is redirected once");
  }));

Deno.test("fetchModel() stops where its signal says, and goes on there the next time", () =>
  withHub(async (hub, get, cache) => {
    const stop = new AbortController(), half = LARGE.slice(0, 150_000);
    hub.intercept = (path, request) => {
      if (!path.endsWith("model.safetensors") || request.headers.has("range")) return undefined;
      const body = new ReadableStream({
        async start(controller) {
          controller.enqueue(half);
          await new Promise((resolve) => setTimeout(resolve, 50));
          stop.abort(new Error("enough"));
        },
      });
      return new Response(body, { headers: { "content-length": String(LARGE.length) } });
    };
    await assert.rejects(get("me/tiny", { signal: stop.signal }), /enough/);
    const blob = join(cache, "models--me--tiny", "blobs", hex("sha256", LARGE));
    assert.equal((await Deno.stat(`${blob}.incomplete`)).size, half.length);
    const ranges: (string | null)[] = [];
    hub.intercept = (path, request) => {
      if (path.endsWith("model.safetensors")) ranges.push(request.headers.get("range"));
      return undefined;
    };
    await get("me/tiny");
    assert.deepEqual(ranges, ["bytes=150000-"]);
    assert.deepEqual(await Deno.readFile(blob), LARGE);
  }));

Deno.test("fetchModel() fetches up to four files at once, with one progress that rises to the whole", () =>
  withHub(async (hub, get) => {
    let open = 0, most = 0;
    hub.intercept = (path) => {
      most = Math.max(most, ++open);
      const body = new ReadableStream({
        async start(controller) {
          await new Promise((resolve) => setTimeout(resolve, 20));
          controller.enqueue(FILES[path]);
          controller.close();
          open--;
        },
      });
      return new Response(body);
    };
    const told: [bytes: number, total: number][] = [];
    await get("me/tiny", { onProgress: (...now: [number, number]) => told.push(now) });
    assert.equal(most, 4);
    const total = told[0]![1];
    assert.ok(told.every(([bytes, all], i) => all === total && bytes >= (told[i - 1]?.[0] ?? 0)));
    assert.equal(told.at(-1)![0], total);
  }));

Deno.test("fetchModel() refuses a server that lists files outside of the cache", () =>
  withHub(async (_hub, get) => {
    for (const [path, oid] of [["tokenizer/..", "0".repeat(40)], ["unet/config.json", "../../x"]]) {
      const send: typeof fetch = async (input, init) => {
        const { pathname } = new URL(input instanceof Request ? input.url : input);
        if (!pathname.includes("/tree/")) return await fetch(input, init);
        return Response.json([{ type: "file", path, oid, size: 1 }]);
      };
      await assert.rejects(get("me/tiny", { fetch: send }), /it lists .*no name of a file/);
    }
  }));

Deno.test("neededFiles() takes ONNX files where a repository has no other weights", () => {
  const files = (...paths: string[]) => paths.map((path) => ({ path, size: 1, hash: "" }));
  const onnx = [
    "unet/model.onnx",
    "unet/model.onnx_data",
    "unet/config.json",
    "vae_decoder/model.onnx",
  ];
  const chosen = neededFiles(
    files(...onnx, "unet/openvino_model.bin.xml", "safety_checker/model.onnx"),
  );
  assert.deepEqual(chosen.map(({ path }) => path), onnx);
  const both = neededFiles(files(...onnx, "unet/diffusion_pytorch_model.safetensors"));
  assert.ok(!both.some(({ path }) => path.endsWith(".onnx")));
});

Deno.test("fetchModel() says why a model cannot be had, and never the token", () =>
  withHub(async (_hub, get) => {
    await assert.rejects(get("missing/model"), /there is no such model or revision/);
    await assert.rejects(get("gated/model"), (error: Error) => {
      assert.match(error.message, /private or gated: accept its terms and set HF_TOKEN/);
      assert.ok(!error.message.includes("secret"));
      return true;
    });
  }));

Deno.test("neededFiles() takes a variant where there is one, and safetensors before .bin", () => {
  const files = Object.keys(FILES).map((path) => ({ path, size: 1, hash: "" }));
  const weights = (variant?: string) =>
    neededFiles(files, { variant }).map(({ path }) => path).filter((p) =>
      /model\..*(bin|tensors)/.test(p)
    );
  assert.deepEqual(weights(), ["unet/diffusion_pytorch_model.safetensors"]);
  assert.deepEqual(weights("fp16"), ["unet/diffusion_pytorch_model.fp16.safetensors"]);
  assert.deepEqual(weights("ema"), ["unet/diffusion_pytorch_model.safetensors"]);
  const shards = ["-00001-of-00002", "-00002-of-00002"].map((n) => `vae/model${n}.safetensors`);
  const sharded = [...shards, "vae/model.safetensors.index.json", "vae/model.bin"];
  assert.deepEqual(
    neededFiles(sharded.map((path) => ({ path, size: 1, hash: "" }))).map(({ path }) => path),
    sharded.slice(0, 3),
  );
});
