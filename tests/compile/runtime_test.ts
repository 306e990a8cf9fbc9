import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { deflateRawSync, gzipSync } from "node:zlib";
import { ownSystem } from "../../ffi/library_folders.ts";
import {
  installRuntime,
  type LibraryProbe,
  listRuntimes,
  removeRuntime,
  verifyRuntime,
} from "../../pipeline/runtime_install.ts";
import { inTemporaryFolder } from "../weights/temporary_folder.ts";

const os = ownSystem();
const NAME = { linux: "libonnxruntime.so.1.31.1", darwin: "libonnxruntime.1.31.1.dylib" };
const MAIN = os === "windows" ? "onnxruntime.dll" : NAME[os];
const SUFFIX = { linux: ".so", darwin: ".dylib", windows: ".dll" }[os];
const CUDA = `libonnxruntime_providers_cuda${SUFFIX}`;
const LIBRARY = new TextEncoder().encode("library ".repeat(1000));

/** What is in a wheel. */
const WHEEL = {
  [`onnxruntime/capi/${MAIN}`]: LIBRARY,
  [`onnxruntime/capi/${CUDA}`]: LIBRARY.slice(8),
  "onnxruntime/capi/onnxruntime_pybind11_state.so": LIBRARY.slice(9),
  "onnxruntime/__init__.py": LIBRARY.slice(10),
};

/** Says that whatever there is is version 1.31.1. */
const probe = (path: string): ReturnType<LibraryProbe> =>
  Promise.resolve({ path, version: "1.31.1", builtWith: [], providers: [], devices: [] });

/** Calls `work` with a folder, and with one in it that is not there yet. */
const inFolder = (work: (folder: string, cache: string) => Promise<void>) =>
  inTemporaryFolder((folder) => work(folder, `${folder}/cache`));

/** A zip file with deflated entries, as wheels are. */
function zipOf(files: Record<string, Uint8Array>): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [], directory: Uint8Array[] = [];
  let at = 0;
  const record = (size: number, fields: [number, number, 2 | 4][]) => {
    const view = new DataView(new ArrayBuffer(size));
    for (const [offset, value, width] of fields) {
      if (width === 2) view.setUint16(offset, value, true);
      else view.setUint32(offset, value, true);
    }
    return new Uint8Array(view.buffer);
  };
  for (const [name, bytes] of Object.entries(files)) {
    const packed = deflateRawSync(bytes), label = new TextEncoder().encode(name);
    const local = record(30, [[0, 0x04034b50, 4], [8, 8, 2], [26, label.length, 2]]);
    directory.push(
      record(46, [
        ...[[0, 0x02014b50, 4], [10, 8, 2], [20, packed.length, 4]] as [number, number, 2 | 4][],
        ...[[24, bytes.length, 4], [28, label.length, 2], [42, at, 4]] as [number, number, 2 | 4][],
      ]),
      label,
    );
    parts.push(local, label, packed);
    at += local.length + label.length + packed.length;
  }
  const length = directory.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const end = record(22, [[0, 0x06054b50, 4], [12, length, 4], [16, at, 4]]);
  return new Uint8Array(Buffer.concat([...parts, ...directory, end]));
}

/** An npm tarball: 512-byte headers. */
function tarballOf(files: Record<string, Uint8Array>): Uint8Array {
  const blocks = Object.entries(files).flatMap(([name, bytes]) => {
    const header = new Uint8Array(512), text = (value: string) => new TextEncoder().encode(value);
    header.set(text(`package/${name}`), 0);
    header.set(text(bytes.length.toString(8).padStart(11, "0")), 124);
    header[156] = 48;
    return [header, bytes, new Uint8Array((512 - bytes.length % 512) % 512)];
  });
  return gzipSync(Buffer.concat([...blocks, new Uint8Array(1024)]));
}

Deno.test("installRuntime() takes library and providers out of a wheel, and no bindings", () =>
  inFolder(async (folder, cache) => {
    await Deno.writeFile(`${folder}/onnxruntime_gpu-1.31.1.whl`, zipOf(WHEEL));
    const { name } = await installRuntime(`${folder}/onnxruntime_gpu-1.31.1.whl`, probe, cache);
    assert.equal(name, "1.31.1-cuda");
    const [runtime] = listRuntimes(cache);
    assert.deepEqual(Object.keys(runtime!.files).sort(), [CUDA, MAIN].sort());
    assert.deepEqual(await Deno.readFile(runtime!.path), LIBRARY);
    verifyRuntime(runtime!.path);
    await Deno.writeFile(
      `${runtime!.path}/../${CUDA}`.replace(`${MAIN}/../`, ""),
      LIBRARY.slice(8).fill(1),
    );
    const damaged = { name: "LibraryIntegrityError", message: /providers_cuda.*has changed/ };
    assert.throws(() => verifyRuntime(runtime!.path), damaged);
    await removeRuntime(name, cache);
    assert.deepEqual(listRuntimes(cache), []);
    await assert.rejects(removeRuntime(name, cache), /installed: none/);
  }));

Deno.test("installRuntime() keeps versions side by side, from tarballs and folders", () =>
  inFolder(async (folder, cache) => {
    const arch = Deno.build.arch === "aarch64" ? "arm64" : "x64",
      other = arch === "x64" ? "arm64" : "x64";
    const place = (cpu: string) => `bin/napi-v6/${os === "windows" ? "win32" : os}/${cpu}/${MAIN}`;
    const files = { [place(other)]: LIBRARY.slice(4), [place(arch)]: LIBRARY };
    await Deno.writeFile(`${folder}/package.tgz`, tarballOf(files));
    const first = await installRuntime(`${folder}/package.tgz`, probe, cache);
    assert.equal(first.name, "1.31.1-cpu");
    assert.equal(first.files[MAIN]?.bytes, LIBRARY.length);
    await Deno.mkdir(`${folder}/plain`);
    await Deno.writeFile(`${folder}/plain/${MAIN}`, LIBRARY);
    const newer: LibraryProbe = async (path) => ({ ...await probe(path), version: "1.32.0" });
    await installRuntime(`${folder}/plain`, newer, cache);
    const names = listRuntimes(cache).map(({ name }) => name);
    assert.deepEqual(names, ["1.32.0-cpu", "1.31.1-cpu"]);
  }));

Deno.test("installRuntime() refuses what is for another platform, damaged, or does not load", () =>
  inFolder(async (folder, cache) => {
    const refused = async (path: string, why: RegExp, test: LibraryProbe = probe) => {
      const error = { name: "RuntimeInstallError", message: why };
      await assert.rejects(installRuntime(path, test, cache), error);
      assert.deepEqual(listRuntimes(cache), []);
      for (const { name } of Deno.readDirSync(folder)) assert.ok(!name.endsWith(".part"));
    };
    const elsewhere = os === "windows" ? "libonnxruntime.so.1" : "onnxruntime.dll";
    await Deno.writeFile(`${folder}/other.whl`, zipOf({ [`capi/${elsewhere}`]: LIBRARY }));
    await refused(`${folder}/other.whl`, /for another platform/);
    await Deno.writeFile(`${folder}/half.whl`, zipOf(WHEEL).slice(0, 100));
    await refused(`${folder}/half.whl`, /not a whole zip file/);
    await Deno.writeFile(`${folder}/none.zip`, zipOf({ "README": LIBRARY }));
    await refused(`${folder}/none.zip`, /holds no ONNX Runtime library/);
    await Deno.writeFile(`${folder}/old.whl`, zipOf(WHEEL));
    const old = () => Promise.reject(new Error("it is too old"));
    await refused(`${folder}/old.whl`, /does not load \(it is too old\)/, old);
  }));
