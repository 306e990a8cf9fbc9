/** What the first bytes of a file say it is, for an error message; undefined when they say nothing. */
export function sniff(start: Uint8Array): string | undefined {
  if (start.length === 0) return "an empty file";
  const text = String.fromCharCode(...start.subarray(0, 64));
  if (text.startsWith("version https://git-lfs")) {
    return "a Git LFS pointer, not the weights (run `git lfs pull` in its repository)";
  }
  if (text.startsWith("PK\x03\x04")) return "a zip archive (a torch checkpoint?)";
  if (text.startsWith("GGUF")) return "a GGUF file";
  if (text.startsWith("\x89PNG") || text.startsWith("\xff\xd8\xff")) return "a picture";
  if (text.startsWith("\x89HDF")) return "an HDF5 file (Keras weights?)";
  if (start[0] === 0x80 && start[1]! >= 2 && start[1]! <= 5) {
    return "a Python pickle (a torch file from before version 1.6?)";
  }
  if (/^\s*<(!doctype|html|\?xml)/i.test(text)) {
    return "a web page (a download that needed a login?)";
  }
  if (/^\s*[{[]/.test(text)) return "JSON text";
  return isText(start.subarray(0, 64)) ? "a text file" : undefined;
}

function isText(bytes: Uint8Array): boolean {
  const whitespace = (byte: number) => byte >= 9 && byte <= 13;
  return bytes.every((byte) => whitespace(byte) || (byte >= 32 && byte < 127));
}
