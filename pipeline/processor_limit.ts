/**
 * What of the machine's processors this process may use: in containers that is often less than the
 * machine has, and less than ONNX Runtime counts.
 *
 * @module
 */

import { join, relative } from "node:path";

/** What a process may use of the processors. */
export interface ProcessorLimit {
  /** Cores of the machine. */
  readonly cores: number;
  /** Those that it may run on: less where a cpuset or `taskset` says so. */
  readonly allowed: number;
  /** Its share of time, in processors, where a cgroup limits that. */
  readonly quota?: number;
}

/** Reads a file; undefined where there is none, or nobody may know. */
type Read = (path: string) => string | undefined;

/**
 * Reads Linux's files, under `root`. Undefined on other systems, and where the files may not be read:
 * Deno lets programs read `/proc` with all permissions only.
 */
export function processorLimit(root = "/"): ProcessorLimit | undefined {
  if (Deno.build.os !== "linux") return undefined;
  const read: Read = (path) => readIfAllowed(join(root, path));
  const cores = coresOf(read("proc/cpuinfo"));
  if (cores.size === 0) return undefined;
  const allowed = allowedOf(read("proc/self/status"));
  const quota = quotaOf(read);
  return {
    cores: new Set(cores.values()).size,
    allowed: new Set([...cores].filter(([id]) => allowed?.has(id) ?? true).map(([, core]) => core))
      .size,
    ...(quota !== undefined && { quota }),
  };
}

/** Without asking: whoever forbids it gets what ONNX Runtime chooses. */
function readIfAllowed(path: string): string | undefined {
  if (Deno.permissions.querySync({ name: "read", path }).state !== "granted") return undefined;
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}

/** The core of each processor: two of one core share its arithmetic, and gain nothing here. */
function coresOf(cpuinfo = ""): Map<number, string> {
  const cores = new Map<number, string>();
  for (const block of cpuinfo.split("\n\n")) {
    const field = (name: string) => new RegExp(`^${name}\\s*: (\\d+)$`, "m").exec(block)?.[1];
    const id = field("processor"), core = field("core id");
    if (id === undefined) continue;
    cores.set(Number(id), core === undefined ? id : `${field("physical id")} ${core}`);
  }
  return cores;
}

/** The processors of `Cpus_allowed_list: 0-3,8`. */
function allowedOf(status = ""): Set<number> | undefined {
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1];
  return list === undefined ? undefined : new Set(
    list.split(",").flatMap((range) => {
      const [first, last = first] = range.split("-").map(Number) as [number, number?];
      return Array.from({ length: last! - first + 1 }, (_, i) => first + i);
    }),
  );
}

/** The least share of time of the process's cgroup and those around it, of either version. */
function quotaOf(read: Read): number | undefined {
  const shares = (read("proc/self/cgroup") ?? "").trim().split("\n").flatMap((line) => {
    const [number, controllers = "", ...path] = line.split(":");
    const isSecond = number === "0" && controllers === "";
    if (!isSecond && !controllers.split(",").includes("cpu")) return [];
    const mount = mountOf(read("proc/self/mountinfo"), isSecond);
    if (!mount) return [];
    return foldersOf(mount, path.join(":")).flatMap((folder) => {
      const share = isSecond ? secondShare(read, folder) : firstShare(read, folder);
      return share === undefined ? [] : [share];
    });
  });
  return shares.length > 0 ? Math.min(...shares) : undefined;
}

interface Mount {
  /** The cgroup that is mounted. */
  readonly root: string;
  /** Where. */
  readonly point: string;
}

/** Where the hierarchy with the controller `cpu` is mounted (proc_pid_mountinfo(5)). */
function mountOf(mountinfo = "", isSecond: boolean): Mount | undefined {
  for (const line of mountinfo.split("\n")) {
    const [before, after] = line.split(" - ").map((part) => part.split(" "));
    const [type, , options = ""] = after ?? [];
    const fits = isSecond
      ? type === "cgroup2"
      : type === "cgroup" && options.split(",").includes("cpu");
    if (fits) return { root: before![3]!, point: before![4]! };
  }
  return undefined;
}

/** The folders of a cgroup and those around it, as far as they can be seen. */
function foldersOf({ root, point }: Mount, path: string): string[] {
  const inside = relative(root, path);
  // A cgroup outside of what is mounted: a container without a cgroup namespace sees its own as the root.
  const steps = inside === "" || inside.startsWith("..") ? [] : inside.split("/");
  return Array.from({ length: steps.length + 1 }, (_, i) => join(point, ...steps.slice(0, i)));
}

/** `cpu.max`: `150000 100000`, or `max 100000`. */
function secondShare(read: Read, folder: string): number | undefined {
  const [quota, period] = (read(join(folder, "cpu.max")) ?? "max").trim().split(" ");
  return share(quota, period);
}

/** `cpu.cfs_quota_us`, which is -1 without a limit. */
function firstShare(read: Read, folder: string): number | undefined {
  return share(
    read(join(folder, "cpu.cfs_quota_us")),
    read(join(folder, "cpu.cfs_period_us")),
  );
}

function share(quota: string | undefined, period: string | undefined): number | undefined {
  const value = Number(quota) / Number(period);
  return value > 0 && Number.isFinite(value) ? value : undefined;
}
