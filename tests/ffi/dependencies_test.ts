import assert from "node:assert/strict";
import { dependencyNames, loadDependencies, missingText } from "../../ffi/dependencies.ts";
import { dependencyFolders } from "../../ffi/dependency_folders.ts";
import { cpu, cuda, tensorrt } from "../../ffi/providers.ts";
import { libraryThatNeeds } from "./elf_fixture.ts";
import { model, ort } from "./fixtures.ts";

const LINUX = { ignore: Deno.build.os !== "linux" };
const CUDA_LIBRARY = "libonnxruntime_providers_cuda.so";

/** A file system of these folders. */
function listing(...files: readonly string[]): (folder: string) => string[] {
  return (folder) => [
    ...new Set(
      files.filter((file) => file.startsWith(`${folder}/`))
        .map((file) => file.slice(folder.length + 1).split("/")[0]!),
    ),
  ];
}

/** A Python environment with ONNX Runtime whose CUDA provider needs `names`. */
function environment(names: readonly string[]) {
  const packages = `${Deno.makeTempDirSync()}/lib/python3.12/site-packages`;
  const folder = `${packages}/onnxruntime/capi`;
  Deno.mkdirSync(folder, { recursive: true });
  Deno.writeFileSync(`${folder}/${CUDA_LIBRARY}`, libraryThatNeeds(names));
  const put = (name: string, from: string) => {
    Deno.mkdirSync(`${packages}/nvidia/cu13/lib`, { recursive: true });
    Deno.copyFileSync(from, `${packages}/nvidia/cu13/lib/${name}`);
  };
  return { packages, folder, library: `${folder}/libonnxruntime.so.1`, put };
}

Deno.test("dependencyFolders takes the environment of the library before all others", () => {
  const folders = dependencyFolders({
    libraryFolder: "/env/lib/python3.12/site-packages/onnxruntime/capi",
    executableFolder: "/bin",
    env: { VIRTUAL_ENV: "/venv", CONDA_PREFIX: "/conda", CUDA_HOME: "/cuda", HOME: "/home/me" },
    list: listing(
      "/env/lib/python3.12/site-packages/onnxruntime/capi/libonnxruntime.so.1",
      "/env/lib/python3.12/site-packages/nvidia/cudnn/lib/libcudnn.so.9",
      "/env/lib/python3.12/site-packages/tensorrt_libs/libnvinfer.so.10",
      "/venv/lib/python3.11/site-packages/nvidia/cu13/lib/libcudart.so.13",
      "/conda/lib/libcudart.so.12",
      "/cuda/lib64/libcudart.so.12",
      "/usr/local/cuda-12.9/lib64/libcudart.so.12",
      "/usr/local/cuda-13.1/lib64/libcudart.so.13",
      "/home/me/.local/lib/python3.9/site-packages/nvidia/cublas/lib/libcublas.so.12",
      "/usr/lib/python3/dist-packages/nvidia/cufft/lib/libcufft.so.11",
      "/elsewhere/lib/libcudart.so.13",
    ),
  });
  assert.deepEqual(folders, [
    "/env/lib/python3.12/site-packages/onnxruntime/capi",
    "/env/lib/python3.12/site-packages/nvidia/cudnn/lib",
    "/env/lib/python3.12/site-packages/tensorrt_libs",
    "/venv/lib/python3.11/site-packages/nvidia/cu13/lib",
    "/conda/lib",
    "/cuda/lib64",
    "/usr/local/cuda-13.1/lib64",
    "/usr/local/cuda-12.9/lib64",
    "/home/me/.local/lib/python3.9/site-packages/nvidia/cublas/lib",
    "/usr/lib/python3/dist-packages/nvidia/cufft/lib",
  ]);
});

Deno.test("dependencyFolders of a machine with nothing are none", () => {
  const nothing = { libraryFolder: "/a", executableFolder: "/b", env: {}, list: () => [] };
  assert.deepEqual(dependencyFolders(nothing), []);
});

Deno.test("dependencyNames adds what CUDA opens later, by its version", () => {
  const { folder } = environment(["libcublas.so.12", "libcudart.so.12", "libm.so.6"]);
  assert.deepEqual(dependencyNames(`${folder}/${CUDA_LIBRARY}`), [
    ...["libcublas.so.12", "libcudart.so.12"],
    ...["libnvrtc.so.12", "libcufft.so.11", "libcudnn.so.9"],
  ]);
});

Deno.test("loadDependencies finds pip's packages beside ONNX Runtime", LINUX, () => {
  const { library, put, packages } = environment(["libcuda_found.so.1", "libcuda_lost.so.1"]);
  put("libcuda_found.so.1", ort().path);
  const dependencies = loadDependencies(cuda(), library);
  const path = `${packages}/nvidia/cu13/lib/libcuda_found.so.1`;
  assert.deepEqual([...dependencies.loaded], [["libcuda_found.so.1", path]]);
  assert.deepEqual(dependencies.missing.map(({ name }) => name), ["libcuda_lost.so.1"]);
  const text = missingText(dependencies);
  assert.ok(text.startsWith(`Missing: libcuda_lost.so.1; looked in ${packages}/onnxruntime/capi`));
  assert.ok(text.includes(`${packages}/nvidia/*/lib, `), text);
});

Deno.test("loadDependencies tells a damaged library from one that is not there", LINUX, () => {
  const { library, put, folder } = environment(["libcuda_damaged.so.1"]);
  put("libcuda_damaged.so.1", `${folder}/${CUDA_LIBRARY}`);
  Deno.truncateSync(`${folder}/../../nvidia/cu13/lib/libcuda_damaged.so.1`, 70);
  const text = missingText(loadDependencies(cuda(), library));
  assert.match(
    text,
    /^libcuda_damaged\.so\.1 does not load: .*file too short|^libcuda_damaged.*\.$/,
  );
  assert.ok(!text.includes("Missing"), text);
});

Deno.test("missingText knows that no package brings the driver", () => {
  const reason = "libcuda.so.1: cannot open shared object file";
  const text = missingText({
    loaded: new Map(),
    missing: [{ name: "libcuda.so.1", reason }],
    folders: [],
  });
  assert.equal(text, "There is no NVIDIA driver (libcuda.so.1).");
  assert.equal(missingText({ loaded: new Map(), missing: [], folders: [] }), "");
});

Deno.test("a CUDA provider on a library without it says so, and the CPU takes over", () => {
  assert.throws(
    () => ort().createSession(model("linear"), { providers: [cuda()] }),
    /CUDAExecutionProvider: (This ONNX Runtime came without .*providers_cuda\.so: take a build|CUDA .* not enabled)/,
  );
  using session = ort().createSession(model("linear"), { providers: [tensorrt(), cuda(), cpu()] });
  assert.deepEqual(session.skipped.map(({ provider }) => provider), [
    "TensorrtExecutionProvider",
    "CUDAExecutionProvider",
  ]);
});
