/**
 * The little of roff, with man(7)'s macros, that a manual page needs.
 *
 * @module
 */

import { wrap } from "./wrap.ts";

/** Text as roff shows it unchanged. */
export function escaped(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("'", "\\(aq")
    .replaceAll("`", "\\(ga")
    .replaceAll("^", "\\(ha")
    .replaceAll("~", "\\(ti")
    .replaceAll(/(?<!\S)\./g, "\\&.");
}

/** The title line. */
export function title(name: string, version: string, date: string): string {
  // .nh: flags are not to be hyphenated.
  return `.TH ${name.toUpperCase()} 1 "${date}" "latent ${version}" "User Commands"\n.nh`;
}

/** A section with all that is in it. */
export function section(heading: string, ...parts: readonly string[]): string {
  return [`.SH ${heading}`, ...parts].join("\n");
}

/** A part of a section. */
export function subsection(heading: string, ...parts: readonly string[]): string {
  return [`.SS ${escaped(heading)}`, ...parts].join("\n");
}

/** Running text, in lines that a reader of the source can bear. */
function running(text: string): string {
  return wrap(escaped(text), 78);
}

/** A paragraph. */
export function paragraph(text: string): string {
  return `.PP\n${running(text)}`;
}

/** Paragraphs, the first of them right below its heading. */
export function paragraphs(texts: readonly string[]): string {
  return texts.map((text, i) => i === 0 ? running(text) : paragraph(text)).join("\n");
}

/** A term in bold, with a part in italics behind it, and what it is. */
export function item(term: string, value: string, about: string): string {
  const behind = value === "" ? "" : ` \\fI${escaped(value)}\\fR`;
  return `.TP\n\\fB${escaped(term)}\\fR${behind}\n${running(about)}`;
}

/** Lines for a shell, each example as it is. */
export function literals(texts: readonly string[]): string {
  return `.RS 4\n.nf\n${texts.map(escaped).join("\n.sp\n")}\n.fi\n.RE`;
}
