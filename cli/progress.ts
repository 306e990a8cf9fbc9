/**
 * Progress of a run on standard error: a bar that redraws itself on a terminal, plain lines
 * elsewhere, nothing when quiet.
 *
 * @module
 */

import type { Drafted } from "./preview_drafts.ts";

/** Where a run is. */
export interface Progress {
  /** Work of unknown length: opening the model, decoding. */
  stage(name: string): void;
  /** `done` of `total` steps. */
  step(name: string, done: number, total: number): void;
  /** A picture over the bar, in place of the one before unless that was the `last` of its kind. */
  picture(drafted: Drafted, last: boolean): void;
  /** A line that stays. */
  line(text: string): void;
  /** Clears the bar. */
  end(): void;
}

/** Nothing is shown. */
export const silent: Progress = { stage() {}, step() {}, picture() {}, line() {}, end() {} };

/** Writes to standard error, whatever is at the other end; a closed pipe is not our failure. */
function write(text: string): void {
  try {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) at += Deno.stderr.writeSync(bytes.subarray(at));
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

/** Progress for a terminal or a log, by what standard error is. */
export function progressTo(options: { quiet: boolean }): Progress {
  if (options.quiet) return silent;
  return Deno.stderr.isTerminal() ? terminalProgress() : plainProgress();
}

/** Lines that a log can keep: stages, and about ten lines for the steps. */
function plainProgress(): Progress {
  let shown = -1;
  return {
    stage: (name) => write(`${name}\n`),
    step(name, done, total) {
      const tenth = Math.floor((done * 10) / total);
      if (done === 1 || (tenth !== shown && done > 0)) write(`${name} ${done}/${total}\n`);
      shown = tenth;
    },
    picture: ({ text }) => write(`${text}\n`),
    line: (text) => write(`${text}\n`),
    end() {},
  };
}

/** One line that redraws itself, at most 20 times a second. */
function terminalProgress(): Progress {
  let drawn = 0, started = 0, clear = "", area = 0;
  const show = (text: string) => {
    let columns = 80;
    try {
      columns = Deno.consoleSize().columns;
    } catch {
      // Standard error may be a terminal whose size is not known.
    }
    write(`\r\x1b[2K${text.slice(0, Math.max(1, columns - 1))}`);
    clear = "\r\x1b[2K";
  };
  return {
    stage: (name) => show(`${name} ...`),
    step(name, done, total) {
      const now = performance.now();
      if (done <= 1) started = now;
      if (done < total && done > 1 && now - drawn < 50) return;
      drawn = now;
      show(barLine(name, done, total, (now - started) / 1000));
    },
    picture({ text, rows }, last) {
      // Room is made once, so that the screen scrolls before and not within the picture. The cursor
      // is kept in the terminal's memory: where graphics leave it differs between terminals.
      const room = area === 0 ? "\n".repeat(rows) : "";
      area = area || rows;
      write(`${clear}${room}\x1b[${area}A\x1b7${text}\x1b8\x1b[${area}B\r`);
      clear = "";
      if (last) area = 0;
    },
    line(text) {
      write(`${clear}${text}\n`);
      clear = "";
      area = 0;
    },
    end() {
      write(clear);
      clear = "";
      area = 0;
    },
  };
}

/** `steps ━━━━━━──── 12/25  1.3 s/step  17 s left`; `seconds` counts from the first step's end. */
export function barLine(name: string, done: number, total: number, seconds: number): string {
  const width = 24, filled = Math.round((done / total) * width);
  const bar = "━".repeat(filled) + "─".repeat(width - filled);
  if (done <= 1) return `${name} ${bar} ${done}/${total}`;
  const each = seconds / (done - 1);
  const rate = each >= 1 ? `${each.toFixed(1)} s/step` : `${(1 / each).toFixed(1)} steps/s`;
  const left = done < total ? `  ${duration(each * (total - done))} left` : "";
  return `${name} ${bar} ${done}/${total}  ${rate}${left}`;
}

/** `45 s`, `3 min 20 s`, `2 h 5 min`. */
export function duration(seconds: number): string {
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}
