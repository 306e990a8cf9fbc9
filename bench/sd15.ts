/**
 * How long full-size Stable Diffusion 1.5 takes here, and how much memory, beside the programs that
 * people would otherwise use: on one machine, in one run, in alternating rounds.
 *
 *     deno run -A bench/sd15.ts --weights DIR --peers --python BIN --graphs DIR
 *
 * README.md beside this file explains the columns.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { machine } from "./peers/machine.ts";
import { Measured, type NetworkName } from "./peers/measured.ts";
import { Peer, type Program } from "./peers/peer.ts";
import { profileTables } from "./peers/profile.ts";
import { report } from "./peers/report.ts";
import { VARIANTS } from "./peers/variants.ts";

const USAGE = `deno run -A bench/sd15.ts --weights DIR [options]
  --weights DIR     a diffusers folder of Stable Diffusion 1.5; make_sd15.ts makes one
  --peers           hold against diffusers and ONNX Runtime from Python
  --python BIN      their interpreter; peers/make_venv.sh makes its environment
  --graphs DIR      graphs for ONNX Runtime from Python; peers/export_onnx.py makes them
  --only A,B        only these: ours, ort, torch, torch-bf16, openvino, openvino-bf16, or ours:VARIANT
                    (peers/variants.ts)
  --size N          side of the picture in pixels (512)
  --rounds N        rounds of every program (5)
  --networks A,B    only these: unet, text_encoder, vae_decoder
  --threads N       threads of every program (its own default)
  --library FILE    ONNX Runtime's library, for ours
  --openvino FILE   that of the package onnxruntime-openvino, for ours:openvino
  --memory GB       what may be alive at once (20)
  --record          append the report to HISTORY.md
  --profile         where our time goes, by operator, instead of a comparison`;

/** What the command line asks for. */
interface Settings {
  readonly weights: string;
  readonly python: string;
  readonly graphs: string;
  readonly library: string | undefined;
  readonly openvino: string | undefined;
  readonly threads: string | undefined;
  readonly size: number;
  readonly rounds: number;
  readonly memory: number;
  readonly networks: readonly NetworkName[];
}

const NETWORKS: readonly NetworkName[] = ["unet", "text_encoder", "vae_decoder"];
const PEERS = ["ours", "ort", "torch", "torch-bf16"];
const KNOWN = [...PEERS, "openvino", "openvino-bf16", "ours:VARIANT"];
/** Programs that read exported graphs. */
const NEED_GRAPHS = ["ort", "openvino", "openvino-bf16"];

function networkCalled(name: string): NetworkName {
  const known = NETWORKS.find((each) => each === name);
  if (known) return known;
  throw new RangeError(
    `Cannot measure ${name}: there is no such network; expected ${NETWORKS.join(", ")}.`,
  );
}

/** How to start the program called `name`. */
function program(name: string, settings: Settings, extra: readonly string[] = []): Program {
  const { weights, python, graphs, size, threads } = settings;
  const script = (file: string) => fileURLToPath(new URL(`./peers/${file}`, import.meta.url));
  const sized = ["--size", String(size), ...(threads ? ["--threads", threads] : [])];
  const [kind, variant = "default"] = name.split(":");
  switch (kind) {
    case "ours": {
      const isOpenvino = VARIANTS[variant]?.provider === "openvino";
      const library = isOpenvino ? settings.openvino : settings.library;
      const args = ["run", "-A", "--quiet", script("latent_peer.ts"), weights, ...sized];
      const chosen = ["--variant", variant, ...(library ? ["--library", library] : []), ...extra];
      return {
        name,
        command: Deno.execPath(),
        args: [...args, ...chosen],
        gigabytes: VARIANTS[variant]?.gigabytes ?? 3,
      };
    }
    case "ort": {
      const args = [script("onnxruntime_peer.py"), graphs, ...sized];
      return { name, command: python, args, gigabytes: 9 };
    }
    case "openvino":
    case "openvino-bf16": {
      const [dtype, gigabytes] = kind === "openvino" ? ["f32", 8] : ["bf16", 6];
      const args = [script("openvino_peer.py"), graphs, ...sized, "--dtype", String(dtype)];
      return { name, command: python, args, gigabytes: Number(gigabytes) };
    }
    case "torch":
    case "torch-bf16": {
      const [dtype, gigabytes] = kind === "torch" ? ["float32", 7] : ["bfloat16", 4];
      const args = [script("diffusers_peer.py"), weights, ...sized, "--dtype", String(dtype)];
      return { name, command: python, args, gigabytes: Number(gigabytes) };
    }
  }
  throw new RangeError(
    `Cannot measure ${name}: it is not known; expected one of ${KNOWN.join(", ")}.`,
  );
}

/**
 * Programs that fit into memory together. The first is in every group, so that each is measured
 * beside it.
 */
function groups(programs: readonly Program[], gigabytes: number): Program[][] {
  const [first, ...rest] = programs as [Program, ...Program[]];
  const result: Program[][] = [[first]];
  const size = (group: Program[]) => group.reduce((sum, one) => sum + one.gigabytes, 0);
  for (const one of rest) {
    const group = result.find((group) => size(group) + one.gigabytes <= gigabytes);
    if (group) group.push(one);
    else result.push([first, one]);
  }
  return result;
}

/** Loads every program of a group, runs rounds of each network in turn, and ends the programs. */
async function measure(
  group: readonly Program[],
  { networks, rounds }: Settings,
  into: Map<string, Measured>,
): Promise<void> {
  const running: { peer: Peer; measured: Measured }[] = [];
  for (const program of group) {
    const measured = into.get(program.name) ?? new Measured(program.name);
    into.set(program.name, measured);
    const start = performance.now();
    const peer = await Peer.start(program);
    running.push({ peer, measured });
    measured.add("load", (await peer.ask("load", networks[0]!)).ms);
    measured.add("ready", performance.now() - start);
  }
  for (const network of networks) {
    for (const { peer } of running) {
      if (network !== networks[0]) await peer.ask("load", network);
      await peer.ask("run", network); // the first run allocates
    }
    for (let round = 0; round < rounds; round++) {
      for (const { peer, measured } of running) {
        const { ms, processorMs, values } = await peer.ask("run", network);
        measured.add(`run ${network}`, ms);
        measured.add(`processor ${network}`, processorMs);
        measured.values.set(network, values!);
        const times = `${ms.toFixed(0)} ms, processor ${processorMs.toFixed(0)} ms`;
        console.error(`${network} ${round + 1}/${rounds} ${peer.program.name} ${times}`);
      }
    }
  }
  for (const { peer, measured } of running) {
    measured.addMemory(peer.memory);
    measured.versions = peer.versions;
    await peer.quit();
  }
}

/** Runs our program with profiling, and reads the traces. */
async function profile(name: string, settings: Settings): Promise<string> {
  const folder = await Deno.makeTempDir();
  try {
    const peer = await Peer.start(program(name, settings, ["--profile", `${folder}/trace`]));
    const texts: string[] = [];
    for (const network of settings.networks) {
      await peer.ask("load", network);
      for (let run = 0; run <= settings.rounds; run++) await peer.ask("run", network);
      const { trace } = await peer.ask("profile", network);
      texts.push(profileTables(network, await Deno.readTextFile(trace!)));
    }
    await peer.quit();
    return texts.join("\n");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The command line for a record: where things lie on this machine says nothing. */
function withoutPaths(args: readonly string[]): string {
  const isPath = (flag: string | undefined) =>
    ["--weights", "--python", "--graphs", "--library", "--openvino"].includes(flag ?? "");
  return args.map((arg, i) => isPath(args[i - 1]) ? "..." : arg)
    .filter((arg) => arg !== "--record").join(" ");
}

async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      weights: { type: "string" },
      python: { type: "string", default: "python3" },
      graphs: { type: "string", default: "" },
      only: { type: "string" },
      size: { type: "string", default: "512" },
      rounds: { type: "string", default: "5" },
      memory: { type: "string", default: "20" },
      library: { type: "string" },
      openvino: { type: "string" },
      threads: { type: "string" },
      peers: { type: "boolean", default: false },
      networks: { type: "string", default: NETWORKS.join() },
      record: { type: "boolean", default: false },
      profile: { type: "boolean", default: false },
    },
  });
  const names = values.only?.split(",") ?? (values.peers ? PEERS : ["ours"]);
  if (
    values.weights === undefined ||
    (names.some((name) => NEED_GRAPHS.includes(name)) && values.graphs === "")
  ) {
    console.error(USAGE);
    Deno.exit(2);
  }
  const settings: Settings = {
    weights: values.weights,
    python: values.python,
    graphs: values.graphs,
    library: values.library,
    openvino: values.openvino,
    threads: values.threads,
    size: Number(values.size),
    rounds: Number(values.rounds),
    memory: Number(values.memory),
    networks: values.networks.split(",").map(networkCalled),
  };
  let text: string;
  if (values.profile) {
    text = await profile(names[0]!, settings);
  } else {
    const measured = new Map<string, Measured>();
    const programs = names.map((name) => program(name, settings));
    for (const group of groups(programs, settings.memory)) {
      await measure(group, settings, measured);
    }
    text = report([...measured.values()], settings);
  }
  text = `${await machine(`bench/sd15.ts ${withoutPaths(args)}`)}\n${text}`;
  console.log(text);
  if (values.record) {
    const history = new URL("./HISTORY.md", import.meta.url);
    await Deno.writeTextFile(history, `\n${text}`, { append: true });
  }
}

if (import.meta.main) await main(Deno.args);
