/**
 * Progress as one line of text, however narrow the terminal is.
 *
 * @module
 */

/** What is counted. */
export type Unit = "steps" | "bytes" | "pictures" | "tiles";

/** Work of known length. */
export interface Work {
  /** What is done, such as "denoising". */
  readonly name: string;
  readonly done: number;
  readonly total: number;
  /** Default: steps. */
  readonly unit?: Unit | undefined;
  /** How long what follows this work will take, in seconds. */
  readonly after?: number | undefined;
}

/** How fast the work goes, measured from the first time it was heard of. */
export interface Pace {
  /** How much was done then: all of it is not this run's. */
  readonly from: number;
  /** Seconds since then. */
  readonly seconds: number;
}

const LONGEST_BAR = 24, SHORTEST_BAR = 4;

/**
 * `denoising ━━━━━━──── 12/25  1.3 s/step  17 s left`, within `columns` characters. Where there is too
 * little room, first the rate goes, then the bar shrinks and goes, then the time left; a name that
 * still does not fit is cut.
 */
export function barLine(work: Work, pace: Pace, columns = 80): string {
  const { name, done, total, unit = "steps" } = work;
  const count = unit === "bytes" ? byteCount(done, total) : `${done}/${total}`;
  const left = timeLeft(work, pace), rate = rateOf(work, pace);
  for (const parts of [[rate, left], [left], []]) {
    const behind = [count, ...parts].filter((part) => part !== "").join("  ");
    const room = columns - name.length - behind.length - 2;
    if (room >= SHORTEST_BAR) {
      return `${name} ${bar(done / total, Math.min(LONGEST_BAR, room))} ${behind}`;
    }
  }
  const plain = [`${name} ${count}  ${left}`, `${name} ${count}`].find((line) =>
    line.trimEnd().length <= columns
  );
  return plain?.trimEnd() ?? `${cut(name, columns - count.length - 1)} ${count}`.trim();
}

function bar(part: number, width: number): string {
  const filled = Math.round(Math.min(1, part) * width);
  return "━".repeat(filled) + "─".repeat(width - filled);
}

/** At most `columns` characters, the last one an ellipsis where there were more. */
export function cut(text: string, columns: number): string {
  const characters = [...text];
  if (characters.length <= columns) return text;
  return columns < 1 ? "" : `${characters.slice(0, columns - 1).join("")}…`;
}

function timeLeft({ done, total, after = 0 }: Work, { from, seconds }: Pace): string {
  const own = done > from && done < total ? seconds / (done - from) * (total - done) : 0;
  if (done <= from || own + after === 0) return "";
  return `${duration(own + after)} left`;
}

function rateOf({ done, unit = "steps" }: Work, { from, seconds }: Pace): string {
  if (done <= from || seconds <= 0) return "";
  const each = seconds / (done - from);
  if (unit === "bytes") return `${byteSize(1 / each)}/s`;
  return each >= 1
    ? `${each.toFixed(1)} s/${unit.slice(0, -1)}`
    : `${(1 / each).toFixed(1)} ${unit}/s`;
}

/** `0.4/4.3 GB`: both in the unit of the whole. */
function byteCount(done: number, total: number): string {
  const [scale, unit] = byteUnit(total), digits = scale === 1 ? 0 : 1;
  return `${(done / scale).toFixed(digits)}/${(total / scale).toFixed(digits)} ${unit}`;
}

/** `4.27 GB`, `13.9 MB`, `500 B`. */
export function byteSize(bytes: number): string {
  const [scale, unit] = byteUnit(bytes), digits = scale === 1 ? 0 : scale === 1e9 ? 2 : 1;
  return `${(bytes / scale).toFixed(digits)} ${unit}`;
}

function byteUnit(bytes: number): [scale: number, unit: string] {
  if (bytes >= 1e9) return [1e9, "GB"];
  if (bytes >= 1e6) return [1e6, "MB"];
  return bytes >= 1e3 ? [1e3, "KB"] : [1, "B"];
}

/** `45 s`, `3 min 20 s`, `2 h 5 min`. */
export function duration(seconds: number): string {
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}
