/**
 * Progress of a run on standard error: a bar that redraws itself on a terminal, plain lines
 * elsewhere and on terminals that cannot move the cursor, nothing when quiet.
 *
 * @module
 */

import type { Drafted } from "./preview_drafts.ts";
import { barLine, cut, type Pace, type Work } from "./progress_bar.ts";

/** Where a run is. */
export interface Progress {
  /** Work of unknown length: opening the model, decoding. */
  stage(name: string): void;
  /** Work of known length, by how much of it is done. */
  step(work: Work): void;
  /** A picture over the bar, in place of the one before unless that was the `last` of its kind. */
  picture(drafted: Drafted, last: boolean): void;
  /** A line that stays. */
  line(text: string): void;
  /** Clears the bar. */
  end(): void;
}

/** Nothing is shown. */
export const silent: Progress = { stage() {}, step() {}, picture() {}, line() {}, end() {} };

/** Writes to standard error. That nobody can hear of the work any more is no reason to stop it. */
function write(text: string): void {
  try {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) at += Deno.stderr.writeSync(bytes.subarray(at));
  } catch {
    // A closed pipe, or a log on a full disk: there is nowhere left to say so.
  }
}

/** Progress for a terminal or a log, by what standard error is. */
export function progressTo(options: { quiet: boolean }): Progress {
  if (options.quiet) return silent;
  return Deno.stderr.isTerminal() && !isDumb() ? terminalProgress() : plainProgress();
}

/** Whether the terminal cannot move its cursor; the permission to know is not asked for. */
function isDumb(): boolean {
  const { state } = Deno.permissions.querySync({ name: "env", variable: "TERM" });
  return state === "granted" && Deno.env.get("TERM") === "dumb";
}

/** Lines that a log can keep: stages, and about ten lines for the steps. */
function plainProgress(): Progress {
  let shown = -1;
  const pace = paceOf();
  return {
    stage: (name) => write(`${name}\n`),
    step(work) {
      const at = pace(work), tenth = Math.floor((work.done * 10) / work.total);
      const isFirst = at.from === work.done;
      if (isFirst || tenth !== shown) write(`${barLine(work, at).replace(/ [━─]+/, "")}\n`);
      shown = tenth;
    },
    picture: ({ text }) => write(`${text}\n`),
    line: (text) => write(`${text}\n`),
    end() {},
  };
}

/** Measures how fast a work goes, from the first time that it is heard of; its name may change. */
function paceOf(): (work: Work) => Pace {
  let from = 0, since = 0, before: Work = { name: "", done: Infinity, total: 0 };
  return (work) => {
    const now = performance.now();
    if (work.total !== before.total || work.unit !== before.unit || work.done < before.done) {
      from = work.done;
      since = now;
    }
    before = work;
    return { from, seconds: (now - since) / 1000 };
  };
}

/** One line that redraws itself, at most 20 times a second. */
function terminalProgress(): Progress {
  let drawn = 0, clear = "", area = 0;
  const pace = paceOf();
  const columns = () => {
    try {
      return Math.max(1, Deno.consoleSize().columns - 1);
    } catch {
      return 79; // a terminal that does not tell its size
    }
  };
  const show = (text: string) => {
    write(`\r\x1b[2K${text}`);
    clear = "\r\x1b[2K";
  };
  return {
    stage: (name) => show(cut(`${name} ...`, columns())),
    step(work) {
      const now = performance.now(), at = pace(work);
      if (work.done < work.total && at.seconds > 0 && now - drawn < 50) return;
      drawn = now;
      show(barLine(work, at, columns()));
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
