/**
 * Where ONNX Runtime finds weights outside the model file. It demands a location relative to a folder, and
 * refuses one that leads out of it even by a symlink, as snapshots of the Hugging Face cache do. With the
 * root of the file system as that folder and real paths as locations, any file is inside.
 */

/** The root of an absolute path: "/" or "C:/"; throws RangeError for a relative one. */
export function rootOf(file: string): string {
  if (file.startsWith("/")) return "/";
  const drive = /^[A-Za-z]:[\\/]/.exec(file)?.[0];
  if (drive) return withSlashes(drive);
  throw new RangeError(
    `Cannot refer to weights in ${file}: expected an absolute path. Resolve it.`,
  );
}

/** The entries of TensorProto.external_data; throws RangeError for a file outside the root. */
export function externalPlace(
  root: string,
  { file, offset, byteLength }: { file: string; offset: number; byteLength: number },
): { key: string; value: string }[] {
  return [
    { key: "location", value: locationIn(root, file) },
    { key: "offset", value: String(offset) },
    { key: "length", value: String(byteLength) },
  ];
}

/** The path of `file` from the folder `root`, with slashes; throws RangeError for a file outside it. */
export function locationIn(root: string, file: string): string {
  const folder = withSlashes(root).replace(/\/*$/, "/");
  const path = rootOf(file) === "/" ? file : withSlashes(file);
  if (path.startsWith(folder)) return path.slice(folder.length);
  throw new RangeError(
    `Cannot refer to weights in ${file}: it is outside ${root}. ` +
      `Put all weights on one drive, or give another externalRoot.`,
  );
}

function withSlashes(path: string): string {
  return /^[A-Za-z]:/.test(path) ? path.replaceAll("\\", "/") : path;
}
