/** What the search for a provider's dependencies depends on; nothing else is read. */
export interface DependencySurroundings {
  /** The folder of ONNX Runtime's library. */
  readonly libraryFolder: string;
  /** The folder of the running executable. */
  readonly executableFolder: string;
  /** VIRTUAL_ENV, CONDA_PREFIX, CUDA_HOME, CUDA_PATH, HOME. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The names in a folder; none where there is no such folder. */
  readonly list: (folder: string) => readonly string[];
}

/** The environment variables that the search reads. */
export const DEPENDENCY_VARIABLES = [
  "VIRTUAL_ENV",
  "CONDA_PREFIX",
  "CUDA_HOME",
  "CUDA_PATH",
  "HOME",
] as const;

/**
 * Folders that may hold CUDA's, cuDNN's and TensorRT's libraries on Linux, best first: beside the
 * program, in the Python environment that ONNX Runtime lies in or that is active, in conda's, in
 * CUDA's own place, in the user's and the system's Python. Only folders that exist are named.
 */
export function dependencyFolders(
  { libraryFolder, executableFolder, env, list }: DependencySurroundings,
): string[] {
  const { VIRTUAL_ENV, CONDA_PREFIX, CUDA_HOME, CUDA_PATH, HOME } = env;
  const around = /^(.*\/(?:site|dist)-packages)\//.exec(`${libraryFolder}/`)?.[1];
  const pythons = (root: string) =>
    versions(list(`${root}/lib`), /^python3/).flatMap((python) =>
      ["site-packages", "dist-packages"].flatMap((kind) =>
        packageFolders(`${root}/lib/${python}/${kind}`)
      )
    );
  const packageFolders = (packages: string) => [
    ...list(`${packages}/nvidia`).map((name) => `${packages}/nvidia/${name}/lib`),
    `${packages}/tensorrt_libs`,
    `${packages}/tensorrt_rtx_libs`,
  ];
  const toolkits = [
    ...[CUDA_HOME, CUDA_PATH],
    ...versions(list("/usr/local"), /^cuda/).map((name) => `/usr/local/${name}`),
  ];
  const folders = [
    libraryFolder,
    executableFolder,
    ...(around ? packageFolders(around) : []),
    ...(VIRTUAL_ENV ? pythons(VIRTUAL_ENV) : []),
    ...(CONDA_PREFIX ? [`${CONDA_PREFIX}/lib`, ...pythons(CONDA_PREFIX)] : []),
    ...toolkits.flatMap((root) => root ? [`${root}/lib64`, `${root}/lib`] : []),
    ...(HOME ? pythons(`${HOME}/.local`) : []),
    ...pythons("/usr/local"),
    ...pythons("/usr"),
  ];
  return [...new Set(folders)].filter((folder) => list(folder).length > 0);
}

/** Names of a pattern, the highest version first. */
function versions(names: readonly string[], pattern: RegExp): string[] {
  const compare = new Intl.Collator("en", { numeric: true }).compare;
  return names.filter((name) => pattern.test(name)).sort((a, b) => compare(b, a));
}
