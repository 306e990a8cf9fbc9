/**
 * The report of a comparison, in Markdown.
 *
 * @module
 */

import type { Memory } from "./memory.ts";
import type { Measured, NetworkName } from "./measured.ts";
import { table } from "./table.ts";

/** A column: its title and what stands in it for one program. */
interface Column {
  readonly title: string;
  readonly value: (one: Measured) => number | undefined;
  readonly show: (value: number) => string;
}

const TITLES: Readonly<Record<NetworkName, string>> = {
  unet: "U-Net",
  text_encoder: "text",
  vae_decoder: "VAE",
};

const milliseconds = (value: number) => value.toFixed(0);
const gigabytes = (value: number) => (value / 1e9).toFixed(2);

/** The programs in rows, then the same as ratios to ONNX Runtime from Python if it was measured. */
export function report(
  programs: readonly Measured[],
  { networks, size, rounds }: {
    readonly networks: readonly NetworkName[];
    readonly size: number;
    readonly rounds: number;
  },
): string {
  const shown = columns(networks);
  const rows = programs.map((one) => [
    one.name,
    ...shown.map(({ value, show }) => {
      const number = value(one);
      return number === undefined ? "" : show(number);
    }),
  ]);
  const header = ["", ...shown.map(({ title }) => title)];
  const parts = [`${size}x${size}, ${rounds} alternating rounds.`, "", table(header, rows)];
  const reference = programs.find(({ name }) => name === "ort");
  if (reference) parts.push("Ratios to ort:", "", ratios(programs, reference, shown));
  parts.push(...programs.map((one) => versions(one, programs[0]!, networks)));
  return parts.join("\n") + "\n";
}

function columns(networks: readonly NetworkName[]): Column[] {
  const time = (title: string, value: Column["value"]) => ({ title, value, show: milliseconds });
  const memory = (title: string, network: NetworkName | undefined, kind: keyof Memory): Column => ({
    title,
    value: (one) => {
      const seen = network ? [one.memory.get(network)] : [...one.memory.values()];
      return Math.max(...seen.map((each) => each?.[kind] ?? 0));
    },
    show: gigabytes,
  });
  return [
    time("ready ms", (one) => one.min("ready")),
    time("load ms", (one) => one.min("load")),
    ...networks.flatMap((network) => [
      time(`${TITLES[network]} ms, min`, (one) => one.min(`run ${network}`)),
      time("median", (one) => one.median(`run ${network}`)),
      time("processor", (one) => one.min(`processor ${network}`)),
      memory("own GB", network, "anonymous"),
    ]),
    memory("mapped GB", undefined, "mapped"),
    memory("peak GB", undefined, "peak"),
  ];
}

function ratios(programs: readonly Measured[], reference: Measured, shown: readonly Column[]) {
  const rows = programs.filter((one) => one !== reference).map((one) => [
    one.name,
    ...shown.map(({ value }) => {
      const mine = value(one), theirs = value(reference);
      return mine === undefined || !theirs ? "" : (mine / theirs).toFixed(2);
    }),
  ]);
  return table(["", ...shown.map(({ title }) => title.replace(/ (ms|GB)\b/, ""))], rows);
}

/** A line on what a program is, and how far its results are from the first one's. */
function versions(one: Measured, first: Measured, networks: readonly NetworkName[]): string {
  const software = Object.entries(one.versions).map((entry) => entry.join(" ")).join(", ");
  if (one === first) return `- ${one.name}: ${software}`;
  const differences = networks.map((network) =>
    `${network} ${one.difference(network, first)?.toExponential(1)}`
  );
  return `- ${one.name}: ${software}; largest relative difference from ${first.name}: ` +
    differences.join(", ");
}
