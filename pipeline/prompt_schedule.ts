/**
 * A1111's prompt editing: words that come, go and take turns while a picture is drawn.
 *
 * `[a:b:0.3]` is a for the first 30 % of the steps, then b; `[b:10]` adds b after step 10;
 * `[a::0.5]` drops a; `[a|b]` takes turns from step to step. They nest.
 *
 * @module
 */

/** A text that holds up to and including the step `until`, counted from 1. */
export interface ScheduledText {
  readonly until: number;
  readonly text: string;
}

/** Text, or something whose text depends on the step. */
type Part = string | Scheduled | Alternating;

interface Scheduled {
  readonly before: readonly Part[];
  readonly after: readonly Part[];
  /** As written: a whole number is a step, one with a point a share of all steps. */
  readonly when: string;
}

interface Alternating {
  readonly choices: readonly (readonly Part[])[];
}

/** Whether the text of a prompt depends on the step. */
export function isScheduled(prompt: string): boolean {
  return parseSchedule(prompt).some(isChanging);
}

/** The texts of a prompt over `steps` steps, in order; the last one's `until` is `steps`. */
export function scheduleOf(prompt: string, steps: number): ScheduledText[] {
  const parts = parseSchedule(prompt);
  const texts: { until: number; text: string }[] = [];
  for (const until of changes(parts, steps)) {
    const text = textAt(parts, until, steps), last = texts.at(-1);
    if (last?.text === text) last.until = until;
    else texts.push({ until, text });
  }
  return texts;
}

const isChanging = (part: Part) => typeof part !== "string";

/** The steps after which the text may change, and the last one. */
function changes(parts: readonly Part[], steps: number): number[] {
  const found = new Set<number>([steps]);
  const collect = (some: readonly Part[]): void => {
    for (const part of some) {
      if (typeof part === "string") continue;
      if ("choices" in part) {
        for (let step = 1; step <= steps; step++) found.add(step);
        part.choices.forEach(collect);
        continue;
      }
      const when = stepOf(part.when, steps);
      if (when >= 1) found.add(when);
      collect(part.before);
      collect(part.after);
    }
  };
  collect(parts);
  return [...found].sort((a, b) => a - b);
}

/** The text at `step`, from 1. */
function textAt(parts: readonly Part[], step: number, steps: number): string {
  return parts.map((part) => {
    if (typeof part === "string") return part;
    if ("choices" in part) {
      return textAt(part.choices[(step - 1) % part.choices.length]!, step, steps);
    }
    return textAt(step <= stepOf(part.when, steps) ? part.before : part.after, step, steps);
  }).join("");
}

function stepOf(when: string, steps: number): number {
  const value = Number(when);
  return Math.min(steps, Math.trunc(when.includes(".") ? value * steps : value));
}

/** Reads a prompt; brackets that are no schedule stay in the text, for the emphasis grammar. */
function parseSchedule(prompt: string): Part[] {
  const closing = pairBrackets(prompt);
  /** Parts from `from` to before `to`, split where one of `separators` stands on this level. */
  const read = (from: number, to: number, separators: string): { parts: Part[][]; at: string } => {
    const parts: Part[][] = [[]];
    let at = "";
    const push = (part: Part) => {
      const list = parts.at(-1)!, last = list.at(-1);
      if (typeof part === "string" && typeof last === "string") list[list.length - 1] = last + part;
      else list.push(part);
    };
    for (let i = from; i < to; i++) {
      const c = prompt[i]!, end = closing.get(i);
      if (c === "\\" && i + 1 < to) push(c + prompt[++i]);
      else if (end !== undefined) {
        const inner = c === "[" ? bracket(i + 1, end) : group(i + 1, end);
        inner.forEach(push);
        i = end;
      } else if (separators.includes(c)) {
        parts.push([]);
        at += c;
      } else push(c);
    }
    return { parts, at };
  };
  const group = (from: number, to: number): Part[] => {
    return ["(", ...read(from, to, "").parts[0]!, ")"];
  };
  const bracket = (from: number, to: number): Part[] => {
    const { parts, at } = read(from, to, ":|");
    if (/^\|+$/.test(at)) return [{ choices: parts }];
    const when = parts.at(-1)!.join("").trim();
    if (/^::?$/.test(at) && /^[+-]?(\d+\.?\d*|\.\d+)$/.test(when)) {
      const [after, before = []] = parts.slice(0, -1).reverse();
      return [{ before, after: after!, when }];
    }
    return ["[", ...parts.flatMap((part, i) => i === 0 ? part : [at[i - 1]!, ...part]), "]"];
  };
  return read(0, prompt.length, "").parts[0]!;
}

/** For every opening bracket that is closed, where; a bracket within must be closed within. */
function pairBrackets(prompt: string): Map<number, number> {
  const pairs = new Map<number, number>(), open: number[] = [];
  for (let i = 0; i < prompt.length; i++) {
    const c = prompt[i]!;
    if (c === "\\") i++;
    else if (c === "(" || c === "[") open.push(i);
    else if ((c === ")" || c === "]") && open.length > 0) {
      if (prompt[open.at(-1)!] === (c === ")" ? "(" : "[")) pairs.set(open.pop()!, i);
    }
  }
  return pairs;
}
