/**
 * The files of a package: a folder, a wheel (a zip file), or an npm tarball.
 *
 * @module
 */

import { join, relative } from "node:path";
import { RuntimeInstallError } from "./runtime_install_error.ts";

/** One file of a package. */
export interface PackageFile {
  /** Its path within the package, with slashes. */
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  /** The contents. To be read, if at all, before the next file is asked for. */
  readonly content: () => ReadableStream<Uint8Array<ArrayBuffer>>;
}

/** The files of a package, in its own order. */
export async function* packageFiles(path: string): AsyncGenerator<PackageFile> {
  const { isDirectory } = await Deno.stat(path);
  if (isDirectory) yield* folderFiles(path, path, 0);
  else if (/\.(?:whl|zip)$/i.test(path)) yield* zipFiles(path);
  else if (/\.(?:tgz|tar\.gz)$/i.test(path)) yield* tarFiles(path);
  else {
    throw new RuntimeInstallError(path, "it is no folder, .whl, .zip or .tgz");
  }
}

/** Packages are shallow; a folder that is not one may be endless. */
const DEEPEST = 8;

async function* folderFiles(
  root: string,
  folder: string,
  depth: number,
): AsyncGenerator<PackageFile> {
  for await (const { name } of Deno.readDir(folder)) {
    const path = join(folder, name);
    const info = await Deno.stat(path).catch(() => undefined); // A link to nowhere is no file.
    if (info?.isDirectory && depth < DEEPEST) yield* folderFiles(root, path, depth + 1);
    if (!info?.isFile) continue;
    yield {
      name: relative(root, path).replaceAll("\\", "/"),
      size: info.size,
      content: () => streamOf(path, 0, info.size),
    };
  }
}

const END_RECORD = 0x06054b50, END_BYTES = 22, CENTRAL_BYTES = 46, LOCAL_BYTES = 30;

/** PKWARE APPNOTE 6.3.10: entries by the central directory, stored or deflated. Wheels need no zip64. */
async function* zipFiles(path: string): AsyncGenerator<PackageFile> {
  const { size } = await Deno.stat(path);
  const tail = await bytesOf(path, Math.max(0, size - END_BYTES - 0xffff), size);
  let end = tail.byteLength - END_BYTES;
  while (end >= 0 && tail.getUint32(end, true) !== END_RECORD) end--;
  if (end < 0) throw new RuntimeInstallError(path, "it is not a whole zip file");
  const start = tail.getUint32(end + 16, true), length = tail.getUint32(end + 12, true);
  const directory = await bytesOf(path, start, start + length);
  for (let at = 0; at + CENTRAL_BYTES <= directory.byteLength;) {
    const method = directory.getUint16(at + 10, true);
    const packed = directory.getUint32(at + 20, true), plain = directory.getUint32(at + 24, true);
    const nameLength = directory.getUint16(at + 28, true);
    const header = directory.getUint32(at + 42, true);
    const nameAt = directory.byteOffset + at + CENTRAL_BYTES;
    const name = new TextDecoder().decode(new Uint8Array(directory.buffer, nameAt, nameLength));
    at += CENTRAL_BYTES + nameLength + directory.getUint16(at + 30, true) +
      directory.getUint16(at + 32, true);
    if (name.endsWith("/")) continue;
    const local = await bytesOf(path, header, header + LOCAL_BYTES);
    const from = header + LOCAL_BYTES + local.getUint16(26, true) + local.getUint16(28, true);
    yield {
      name,
      size: plain,
      content: () => {
        const stream = streamOf(path, from, from + packed);
        return method === 8 ? stream.pipeThrough(unpacker("deflate-raw")) : stream;
      },
    };
  }
}

/** A decompressor that gives what Deno's always does: buffers that are not shared. */
function unpacker(
  format: CompressionFormat,
): TransformStream<BufferSource, Uint8Array<ArrayBuffer>> {
  // Deno 2.4 types the chunks more loosely than later versions do.
  return new DecompressionStream(format) as TransformStream<BufferSource, Uint8Array<ArrayBuffer>>;
}

const BLOCK = 512;

/** POSIX ustar: a header block with name and octal size, then the contents in whole blocks. */
async function* tarFiles(path: string): AsyncGenerator<PackageFile> {
  using file = await Deno.open(path);
  const reader = file.readable.pipeThrough(unpacker("gzip")).getReader();
  let buffered: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  const take = async (most: number) => {
    if (buffered.length === 0) buffered = (await reader.read()).value ?? buffered;
    const chunk = buffered.subarray(0, most);
    buffered = buffered.subarray(chunk.length);
    return chunk;
  };
  const block = async () => {
    const bytes = new Uint8Array(BLOCK);
    for (let done = 0; done < BLOCK;) {
      const chunk = await take(BLOCK - done);
      if (chunk.length === 0) return undefined;
      bytes.set(chunk, done);
      done += chunk.length;
    }
    return bytes;
  };
  for (let header = await block(); header !== undefined; header = await block()) {
    const field = (from: number, to: number) =>
      new TextDecoder().decode(header!.subarray(from, to)).replace(/\0.*$/s, "");
    if (field(0, 100) === "") break;
    const size = parseInt(field(124, 136), 8), prefix = field(345, 500);
    let left = Math.ceil(size / BLOCK) * BLOCK, content = size;
    const next = async () => {
      const chunk = await take(left);
      if (chunk.length === 0) throw new RuntimeInstallError(path, "the archive ends early");
      left -= chunk.length;
      const own = chunk.subarray(0, Math.max(0, content));
      content -= own.length;
      return own;
    };
    if ([0, 48].includes(header[156]!)) {
      yield {
        name: prefix ? `${prefix}/${field(0, 100)}` : field(0, 100),
        size,
        content: () =>
          new ReadableStream({
            async pull(controller) {
              if (content <= 0) return controller.close();
              controller.enqueue(await next());
            },
          }),
      };
    }
    while (left > 0) await next();
  }
  await reader.cancel();
}

async function bytesOf(path: string, from: number, to: number): Promise<DataView<ArrayBuffer>> {
  const bytes = await new Response(streamOf(path, from, to)).arrayBuffer();
  if (bytes.byteLength === to - from) return new DataView(bytes);
  throw new RuntimeInstallError(path, "the archive ends early");
}

/** Bytes `[from, to)` of a file. */
function streamOf(path: string, from: number, to: number): ReadableStream<Uint8Array<ArrayBuffer>> {
  let file: Deno.FsFile | undefined, left = to - from;
  return new ReadableStream({
    async start() {
      file = await Deno.open(path);
      await file.seek(from, Deno.SeekMode.Start);
    },
    async pull(controller) {
      const chunk = new Uint8Array(Math.min(left, 1 << 18));
      const got = left === 0 ? null : await file!.read(chunk);
      if (got === null) {
        file!.close();
        return controller.close();
      }
      left -= got;
      controller.enqueue(chunk.subarray(0, got));
    },
    cancel: () => file?.close(),
  });
}
