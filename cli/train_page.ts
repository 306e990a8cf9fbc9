/**
 * `latent train --report`: a run as one page, in the form of those of `latent explain`.
 *
 * @module
 */

import { dirname } from "node:path";
import { type Block, plotDrawer, renderHtml, type Report, type Series } from "../explain/mod.ts";
import { openWhole } from "../mod.ts";
import type { TrainingEvent } from "../training/mod.ts";
import { type FlagValues, UsageError } from "./flags.ts";
import { duration } from "./progress_bar.ts";
import type { TRAIN_FLAGS } from "./train_flags.ts";

type Update = Extract<TrainingEvent, { kind: "update" }>;
type Drawn = Extract<TrainingEvent, { kind: "samples" }>;

/** A curve of more points than a page shows is thinned to this many means. */
const POINTS = 150;

/** Hears what a training does, and writes it down. */
export class TrainPage {
  readonly #kind: string;
  readonly #flags: FlagValues<typeof TRAIN_FLAGS>;
  readonly #began = performance.now();
  readonly #updates: Update[] = [];
  readonly #drawn: Drawn[] = [];
  #saved: string | undefined;
  #memory = 0;
  #finished = false;

  /**
   * `kind` of training, and the flags that it was called with. Throws UsageError for a page in a folder
   * that is not there: better now than after hours.
   */
  constructor(kind: string, flags: FlagValues<typeof TRAIN_FLAGS>) {
    const { report = "" } = flags;
    try {
      Deno.statSync(dirname(report));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      throw new UsageError(`--report ${report}: there is no such folder.`);
    }
    this.#kind = kind;
    this.#flags = flags;
  }

  /** Takes note of an event. */
  hear(event: TrainingEvent): void {
    this.#memory = Math.max(this.#memory, Deno.memoryUsage().rss);
    if (event.kind === "update") this.#updates.push(event);
    if (event.kind === "samples") this.#drawn.push(event);
    if (event.kind === "saved") this.#saved = event.path;
  }

  /** The run has come to its end. */
  finish(): void {
    this.#finished = true;
  }

  /** Writes the page; nothing where the run stopped before its first update. */
  async write(path: string): Promise<void> {
    if (this.#updates.length === 0) return;
    const page = await renderHtml(this.#report(), await plotDrawer());
    await using file = await openWhole(path);
    await file.write(new TextEncoder().encode(page));
    await file.keep();
  }

  #report(): Report {
    const losses = this.#updates.map(({ loss }) => loss), last = this.#updates.at(-1)!;
    const few = Math.max(1, Math.ceil(losses.length / 20));
    const end = this.#finished
      ? `The result is ${this.#saved}.`
      : `It stopped there; with --resume it goes on from its last checkpoint.`;
    return {
      topic: this.#kind,
      title: `Training: ${this.#kind}`,
      summary: `${last.step} of ${last.steps} updates. The loss was ` +
        `${mean(losses.slice(0, few)).toFixed(4)} at first and ` +
        `${mean(losses.slice(-few)).toFixed(4)} at last, each a mean of ${few}; single losses ` +
        `depend on how much noise was drawn. ${end}`,
      blocks: [...this.#samples(), ...this.#curves(), this.#costs(), this.#settings()],
      claims: [],
      formulas: [],
      papers: [],
    };
  }

  /** Before, on the way and after; then every prompt's samples to move through. */
  #samples(): Block[] {
    const [first] = this.#drawn;
    if (!first) return [];
    const middle = this.#drawn[this.#drawn.length >> 1]!, last = this.#drawn.at(-1)!;
    const picked = [...new Set([first, middle, last])];
    return first.samples.flatMap(({ prompt }, i): Block[] => {
      const labelled = ({ step, samples }: Drawn) => ({
        label: `${prompt}, after ${step}`,
        image: samples[i]!.image,
      });
      const caption = `“${prompt}”, the same noise each time: before, on the way, and after`;
      const row: Block = { kind: "pictures", caption, pictures: picked.map(labelled) };
      if (this.#drawn.length <= picked.length) return [row];
      const frames = this.#drawn.map(labelled);
      return [row, { kind: "frames", caption: `All samples of “${prompt}”`, frames }];
    });
  }

  #curves(): Block[] {
    const points = (key: "loss" | "rate" | "norm") =>
      this.#updates.map((update) => [update.step, update[key]] as const);
    const plot = (caption: string, label: string, series: Series[]): Block => ({
      kind: "plot",
      caption,
      x: { label: "update" },
      y: { label },
      series,
    });
    const loss = [
      { name: "loss", points: thinned(points("loss")) },
      { name: "mean of a tenth", points: thinned(sliding(points("loss"))) },
    ];
    return [
      plot("The loss", "loss", loss),
      plot("The learning rate", "rate", [{ name: "rate", points: thinned(points("rate")) }]),
      plot("The length of the gradient, before it is shortened", "length", [
        { name: "length", points: thinned(points("norm")) },
      ]),
    ];
  }

  #costs(): Block {
    const seconds = this.#updates.map((update) => update.seconds);
    const all = (performance.now() - this.#began) / 1000;
    const updating = seconds.reduce((a, b) => a + b, 0);
    return {
      kind: "table",
      caption: "Time and memory",
      columns: ["what", "measured"],
      rows: [
        ["the whole run", duration(all)],
        ["updates", duration(updating)],
        ["an update, median", `${median(seconds).toPrecision(3)} s`],
        ["opening, samples and saving", duration(all - updating)],
        ["memory of the process, the most at an update", `${(this.#memory / 1e9).toFixed(2)} GB`],
      ],
    };
  }

  #settings(): Block {
    const rows = Object.entries(this.#flags)
      .filter(([, value]) => value !== undefined && value !== false)
      .map(([name, value]) => [`--${name}`, Array.isArray(value) ? value.join("; ") : `${value}`]);
    return {
      kind: "table",
      caption: "Settings; all others have their defaults",
      columns: ["flag", "value"],
      rows,
    };
  }
}

type Points = Series["points"];

/** The mean of each point with the tenth of all points before it. */
function sliding(points: Points): Points {
  const width = Math.max(1, Math.round(points.length / 10));
  let sum = 0;
  return points.map(([x, y], i) => {
    sum += y - (points[i - width]?.[1] ?? 0);
    return [x, sum / Math.min(i + 1, width)];
  });
}

/** At most `POINTS` means of neighbours. */
function thinned(points: Points): Points {
  if (points.length <= POINTS) return points;
  return Array.from({ length: POINTS }, (_, i) => {
    const part = points.slice(
      Math.floor(i * points.length / POINTS),
      Math.floor((i + 1) * points.length / POINTS),
    );
    return [mean(part.map(([x]) => x)), mean(part.map(([, y]) => y))];
  });
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}
