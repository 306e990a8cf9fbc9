/** What a process may use of the processors, from files as Linux and its containers have them. */

import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ProcessorLimit, processorLimit } from "../../pipeline/processor_limit.ts";
import { chooseThreads, threadOptions } from "../../pipeline/thread_choice.ts";
import { inTemporaryFolder as inFolder } from "../weights/temporary_folder.ts";

const isLinux = Deno.build.os === "linux";

/** `/proc/cpuinfo` of so many processors, `perCore` of which share a core. */
function cpuinfo(processors: number, perCore = 1): string {
  const block = (_: unknown, i: number) =>
    `processor\t: ${i}\nmodel name\t: Fake\nphysical id\t: 0\n` +
    `core id\t\t: ${i % (processors / perCore)}\n`;
  return Array.from({ length: processors }, block).join("\n");
}

const SECOND = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup rw,nsdelegate\n";
const FIRST = "32 31 0:29 ROOT /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n" +
  "34 31 0:31 ROOT /sys/fs/cgroup/cpuset ro - cgroup cgroup rw,cpuset\n";

interface Case {
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  readonly limit: ProcessorLimit;
  readonly choice: { readonly threads?: number; readonly spinning: boolean };
}

const CASES: readonly Case[] = [
  {
    name: "a machine without limits",
    files: {
      "proc/cpuinfo": cpuinfo(8),
      "proc/self/status": "Name:\tdeno\nCpus_allowed_list:\t0-7\n",
      "proc/self/cgroup": "0::/user.slice/session-1.scope\n",
      "proc/self/mountinfo": SECOND,
      "sys/fs/cgroup/user.slice/cpu.max": "max 100000\n",
    },
    limit: { cores: 8, allowed: 8 },
    choice: { spinning: true },
  },
  {
    name: "a container of cgroup v2 that sees itself as the root",
    files: {
      "proc/cpuinfo": cpuinfo(64),
      "proc/self/status": "Cpus_allowed_list:\t0-63\n",
      "proc/self/cgroup": "0::/\n",
      "proc/self/mountinfo": SECOND,
      "sys/fs/cgroup/cpu.max": "150000 100000\n",
    },
    limit: { cores: 64, allowed: 64, quota: 1.5 },
    choice: { threads: 2, spinning: false },
  },
  {
    name: "the least share of a cgroup and those around it",
    files: {
      "proc/cpuinfo": cpuinfo(16),
      "proc/self/cgroup": "0::/outer.slice/inner.scope\n",
      "proc/self/mountinfo": SECOND,
      "sys/fs/cgroup/outer.slice/cpu.max": "200000 50000\n",
      "sys/fs/cgroup/outer.slice/inner.scope/cpu.max": "1000000 100000\n",
    },
    limit: { cores: 16, allowed: 16, quota: 4 },
    choice: { threads: 4, spinning: false },
  },
  {
    name: "a container of cgroup v1 whose mount is a part of the hierarchy",
    files: {
      "proc/cpuinfo": cpuinfo(8),
      "proc/self/cgroup": "4:cpu,cpuacct:/docker/ab12\n3:cpuset:/docker/ab12\n0::/\n",
      "proc/self/mountinfo": FIRST.replaceAll("ROOT", "/docker/ab12"),
      "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "50000\n",
      "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    },
    limit: { cores: 8, allowed: 8, quota: 0.5 },
    choice: { threads: 1, spinning: false },
  },
  {
    name: "cgroup v1 without a quota",
    files: {
      "proc/cpuinfo": cpuinfo(4),
      "proc/self/cgroup": "1:cpu:/\n",
      "proc/self/mountinfo": FIRST.replaceAll("ROOT", "/"),
      "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
      "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    },
    limit: { cores: 4, allowed: 4 },
    choice: { spinning: true },
  },
  {
    name: "a cpuset of five processors on four cores of two processors each",
    files: { "proc/cpuinfo": cpuinfo(8, 2), "proc/self/status": "Cpus_allowed_list:\t0-2,4-5\n" },
    limit: { cores: 4, allowed: 3 },
    choice: { threads: 3, spinning: true },
  },
  {
    name: "a share of more than the cpuset has, which limits nothing",
    files: {
      "proc/cpuinfo": cpuinfo(8),
      "proc/self/status": "Cpus_allowed_list:\t0-1\n",
      "proc/self/cgroup": "0::/\n",
      "proc/self/mountinfo": SECOND,
      "sys/fs/cgroup/cpu.max": "400000 100000\n",
    },
    limit: { cores: 8, allowed: 2, quota: 4 },
    choice: { threads: 2, spinning: true },
  },
  {
    name: "a processor without numbers of cores, and nothing else to read",
    files: { "proc/cpuinfo": "processor\t: 0\nBogoMIPS\t: 48\n\nprocessor\t: 1\nBogoMIPS\t: 48\n" },
    limit: { cores: 2, allowed: 2 },
    choice: { spinning: true },
  },
];

for (const { name, files, limit, choice } of CASES) {
  Deno.test({
    name: `threads: ${name}`,
    ignore: !isLinux,
    fn: () =>
      inFolder(async (root) => {
        for (const [path, text] of Object.entries(files)) {
          await Deno.mkdir(join(root, dirname(path)), { recursive: true });
          await Deno.writeTextFile(join(root, path), text);
        }
        const found = processorLimit(root);
        assert.deepEqual(found, limit);
        const { why, ...chosen } = chooseThreads(undefined, found);
        assert.deepEqual(chosen, choice);
        assert.notEqual(why, "");
      }),
  });
}

Deno.test("threads that are asked for are taken; they spin unless time is rationed", () => {
  const limit = { cores: 8, allowed: 8, quota: 2 };
  assert.deepEqual(chooseThreads(3, limit), { threads: 3, spinning: false, why: "as asked" });
  assert.deepEqual(chooseThreads(2, limit), { threads: 2, spinning: true, why: "as asked" });
  assert.deepEqual(threadOptions(3, limit), {
    intraOpThreads: 3,
    config: { "session.intra_op.allow_spinning": "0" },
  });
  assert.deepEqual(threadOptions(undefined, { cores: 8, allowed: 8 }), {});
});

Deno.test("threads are ONNX Runtime's choice where limits cannot be read", () => {
  const { why, ...choice } = chooseThreads(undefined, undefined);
  assert.deepEqual(choice, { spinning: true });
  assert.match(why, /cannot be seen/);
});

Deno.test({
  name: "a process that is bound to one processor computes with one thread, and doctor says why",
  ignore: !isLinux || navigator.hardwareConcurrency < 2,
  fn: async () => {
    const cli = fileURLToPath(new URL("../../cli.ts", import.meta.url));
    const { stdout } = await new Deno.Command("taskset", {
      args: ["-c", "0", Deno.execPath(), "run", "-A", "--no-check", cli, "doctor", "--json"],
      stderr: "null",
    }).output();
    const { machine } = JSON.parse(new TextDecoder().decode(stdout));
    assert.equal(machine.limit.allowed, 1);
    if (machine.limit.cores === 1) return; // two processors of one core
    assert.equal(machine.choice.threads, 1);
    assert.match(machine.choice.why, /only 1 of \d+ cores/);
  },
});
