/**
 * What a process holds in memory and uses of the processors, from Linux's /proc
 * (proc_pid_status(5), proc_pid_stat(5)).
 *
 * @module
 */

/** Memory of a process in bytes. */
export interface Memory {
  /** Memory of its own: heap, arenas, stacks (RssAnon). */
  readonly anonymous: number;
  /** Pages of mapped files that are in memory; shared with the page cache (RssFile). */
  readonly mapped: number;
  /** The most that both were together at any time (VmHWM). */
  readonly peak: number;
}

/** Nothing. */
export const NO_MEMORY: Memory = { anonymous: 0, mapped: 0, peak: 0 };

/** Reads the memory of process `pid`. @throws {Deno.errors.NotFound} when it has ended. */
export async function readMemory(pid: number): Promise<Memory> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  const field = (name: string) =>
    1024 * Number(status.match(new RegExp(`^${name}:\\s+(\\d+) kB`, "m"))?.[1] ?? 0);
  return { anonymous: field("RssAnon"), mapped: field("RssFile"), peak: field("VmHWM") };
}

/**
 * Processor time that `pid` has used on all its threads, in milliseconds, in steps of 10. On a machine
 * that does other work too, it says more than the clock.
 */
export async function readProcessorTime(pid: number): Promise<number> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
  // The second field is a name in parentheses, which may hold anything; then state is the third.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticksPerSecond = 100; // USER_HZ, the same on every Linux
  return (Number(fields[11]) + Number(fields[12])) * (1000 / ticksPerSecond);
}

/** The larger of each. */
export function larger(a: Memory, b: Memory): Memory {
  return {
    anonymous: Math.max(a.anonymous, b.anonymous),
    mapped: Math.max(a.mapped, b.mapped),
    peak: Math.max(a.peak, b.peak),
  };
}

/** Runs `work` and samples the memory of `pid` meanwhile; the largest of each kind. */
export async function peakDuring<T>(
  pid: number,
  work: () => Promise<T>,
  everyMs = 20,
): Promise<{ result: T; memory: Memory }> {
  let memory = NO_MEMORY, sampling: Promise<void> = Promise.resolve();
  const sample = () => {
    sampling = sampling.then(async () => {
      memory = larger(memory, await readMemory(pid));
    }).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
  };
  const timer = setInterval(sample, everyMs);
  try {
    const result = await work();
    sample();
    await sampling;
    return { result, memory };
  } finally {
    clearInterval(timer);
  }
}
