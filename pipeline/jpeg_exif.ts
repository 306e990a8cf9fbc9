import { Buffer } from "node:buffer";

const ORIENTATION = 0x0112;
const EXIF_POINTER = 0x8769;
const USER_COMMENT = 0x9286;
const LONG = 4;
const UNDEFINED = 7;
/** The largest payload of a JPEG segment, whose length field of two bytes counts itself. */
const LARGEST_SEGMENT = 65533;

/** What the segments of a JPEG file say before its pixels begin. */
export interface JpegHeader {
  /** Pixels in a row, before the picture is turned upright. */
  readonly width: number;
  /** Rows, before the picture is turned upright. */
  readonly height: number;
  /** 1 gray, 3 colour, 4 CMYK. */
  readonly components: number;
  /** EXIF's orientation, 1 to 8; 1 is upright. */
  readonly orientation: number;
  /** EXIF's user comment, where A1111 and others keep the parameters. */
  readonly comment?: string;
  /** Texts by keyword, of comment segments as {@linkcode textSegment} makes them. */
  readonly texts: Readonly<Record<string, string>>;
}

/** Reads the segments up to the first scan; undefined if there is no frame header before it. */
export function readJpegHeader(bytes: Uint8Array): JpegHeader | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let exif: { orientation: number; comment?: string } = { orientation: 1 };
  const texts = new Map<string, string>();
  for (let at = 2; at + 4 <= bytes.length;) {
    if (bytes[at] !== 0xff) return undefined;
    const marker = bytes[at + 1]!;
    if (marker === 0xff) {
      at++; // padding between segments
      continue;
    }
    const end = at + 2 + view.getUint16(at + 2);
    if (marker === 0xda || end > bytes.length) return undefined;
    if (marker === 0xfe) readText(bytes.subarray(at + 4, end), texts);
    if (marker === 0xe1) exif = { ...exif, ...readExif(bytes.subarray(at + 4, end)) };
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame && end >= at + 10) {
      const height = view.getUint16(at + 5), width = view.getUint16(at + 7);
      return {
        width,
        height,
        components: bytes[at + 9]!,
        ...exif,
        texts: Object.fromEntries(texts),
      };
    }
    at = end;
  }
  return undefined;
}

/** A comment of the form that `textSegment` writes; other comments are left alone. */
function readText(segment: Uint8Array, texts: Map<string, string>): void {
  const [, keyword, text] =
    /^([\x20-\x7e]{1,79})\0(.*)$/s.exec(new TextDecoder().decode(segment)) ?? [];
  if (keyword !== undefined) texts.set(keyword, text!);
}

/** The entries of EXIF that matter here; damaged data counts as absent, as in Pillow. */
function readExif(segment: Uint8Array): { orientation?: number; comment?: string } {
  if (Buffer.from(segment.subarray(0, 6)).toString("latin1") !== "Exif\0\0") return {};
  const tiff = segment.subarray(6);
  const isLittle = tiff[0] === 0x49;
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.byteLength);
  try {
    const first = readDirectory(view, view.getUint32(4, isLittle), isLittle);
    const at = first.get(ORIENTATION);
    const orientation = at === undefined ? 1 : view.getUint16(at + 8, isLittle);
    const pointer = first.get(EXIF_POINTER);
    const comment = pointer === undefined
      ? undefined
      : readComment(tiff, view, view.getUint32(pointer + 8, isLittle), isLittle);
    return {
      ...(orientation >= 1 && orientation <= 8 ? { orientation } : {}),
      ...(comment === undefined ? {} : { comment }),
    };
  } catch (error) {
    if (error instanceof RangeError) return {}; // an offset outside the segment
    throw error;
  }
}

/** Where each tag's entry of 12 bytes is. */
function readDirectory(view: DataView, at: number, isLittle: boolean): Map<number, number> {
  const entries = new Map<number, number>();
  const count = view.getUint16(at, isLittle);
  for (let i = 0; i < count; i++) {
    const entry = at + 2 + 12 * i;
    entries.set(view.getUint16(entry, isLittle), entry);
  }
  return entries;
}

function readComment(tiff: Uint8Array, view: DataView, directory: number, isLittle: boolean) {
  const entry = readDirectory(view, directory, isLittle).get(USER_COMMENT);
  if (entry === undefined) return undefined;
  const length = view.getUint32(entry + 4, isLittle);
  const at = length <= 4 ? entry + 8 : view.getUint32(entry + 8, isLittle);
  const value = tiff.subarray(at, at + length);
  const code = Buffer.from(value.subarray(0, 8)).toString("latin1");
  const text = value.subarray(8);
  // The standard leaves the byte order open; tools write big-endian unless the first byte is text.
  if (code === "UNICODE\0") {
    const encoding = text[0] !== 0 && text[1] === 0 ? "utf-16le" : "utf-16be";
    return new TextDecoder(encoding).decode(text);
  }
  return new TextDecoder().decode(text).replace(/\0+$/, "");
}

/**
 * An APP1 segment whose EXIF user comment is `comment`, as A1111 writes it (UTF-16, big-endian).
 *
 * Throws a RangeError for a text of more than about 32,000 characters, which a segment cannot hold.
 */
export function exifSegment(comment: string): Uint8Array {
  const text = Buffer.from(comment, "utf16le").swap16();
  const length = 8 + text.length;
  const header = 6 + 8 + 2 * (2 + 12 + 4); // "Exif", TIFF header, two directories of one entry
  if (header + length > LARGEST_SEGMENT) {
    throw new RangeError(
      `Cannot put the text into a JPEG: it is too long; got ${comment.length} characters, expected ` +
        `32,000 at most. Save a PNG, which has no limit.`,
    );
  }
  const out = Buffer.alloc(4 + header + length);
  out.writeUInt16BE(0xffe1, 0);
  out.writeUInt16BE(2 + header + length, 2);
  out.write("Exif\0\0MM\0*", 4, "latin1");
  out.writeUInt32BE(8, 14); // where the first directory begins, counted from "MM"
  writeDirectory(out, 18, EXIF_POINTER, LONG, 1, 26);
  writeDirectory(out, 36, USER_COMMENT, UNDEFINED, length, 44);
  out.write("UNICODE\0", 54, "latin1");
  text.copy(out, 62);
  return new Uint8Array(out);
}

/**
 * A comment segment that holds a keyword, a zero byte, and a text in UTF-8.
 *
 * Throws a TypeError for a keyword that is not 1 to 79 ASCII characters, and a RangeError for a text
 * that a segment cannot hold.
 */
export function textSegment(keyword: string, text: string): Uint8Array {
  if (!/^[\x20-\x7e]{1,79}$/.test(keyword)) {
    throw new TypeError(
      `Cannot put a text into a JPEG: its keyword must be 1 to 79 ASCII characters; got ` +
        `${JSON.stringify(keyword)}.`,
    );
  }
  const content = Buffer.from(`${keyword}\0${text}`, "utf8");
  if (content.length > LARGEST_SEGMENT) {
    throw new RangeError(
      `Cannot put the text ${JSON.stringify(keyword)} into a JPEG: it is too long; got ` +
        `${content.length} bytes, expected ${LARGEST_SEGMENT} at most. Save a PNG, which has no limit.`,
    );
  }
  const out = Buffer.alloc(4 + content.length);
  out.writeUInt16BE(0xfffe, 0);
  out.writeUInt16BE(2 + content.length, 2);
  content.copy(out, 4);
  return new Uint8Array(out);
}

/** A directory of one entry, and no next directory. */
function writeDirectory(
  out: Buffer,
  at: number,
  tag: number,
  type: typeof LONG | typeof UNDEFINED,
  count: number,
  value: number,
): void {
  out.writeUInt16BE(1, at);
  out.writeUInt16BE(tag, at + 2);
  out.writeUInt16BE(type, at + 4);
  out.writeUInt32BE(count, at + 6);
  out.writeUInt32BE(value, at + 10);
}
