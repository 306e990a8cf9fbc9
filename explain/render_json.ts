/**
 * A report as JSON: everything that was measured; pictures as PNG in base64.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { Image } from "../pipeline/image.ts";
import type { Report } from "./report.ts";

/** One line of JSON. */
export async function renderJson(report: Report): Promise<string> {
  return JSON.stringify(await plain(report));
}

async function plain(value: unknown): Promise<unknown> {
  if (value instanceof Image) {
    const png = Buffer.from(await value.encode("png")).toString("base64");
    return { width: value.width, height: value.height, png };
  }
  if (Array.isArray(value)) return await Promise.all(value.map(plain));
  if (typeof value === "bigint") return String(value);
  if (value === null || typeof value !== "object") return value;
  const entries = await Promise.all(
    Object.entries(value).map(async ([key, part]) => [key, await plain(part)] as const),
  );
  return Object.fromEntries(entries);
}
