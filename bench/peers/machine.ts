/**
 * What a measurement was made on.
 *
 * @module
 */

/** A heading with the date, then the command, the processor and the revision. */
export async function machine(command: string): Promise<string> {
  const info = await Deno.readTextFile("/proc/cpuinfo");
  const model = info.match(/^model name\s*: (.*)$/m)?.[1] ?? "unknown processor";
  const flags = info.match(/^flags\s*: (.*)$/m)?.[1]?.split(" ") ?? [];
  const vectors = ["avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8"];
  const git = new Deno.Command("git", { args: ["describe", "--always", "--dirty"] });
  const { code, stdout } = await git.output();
  const revision = code === 0 ? new TextDecoder().decode(stdout).trim() : "unknown revision";
  const load = (await Deno.readTextFile("/proc/loadavg")).split(" ")[0];
  return [
    `## ${new Date().toISOString().slice(0, 16).replace("T", " ")} UTC`,
    "",
    `\`deno run -A ${command}\` at ${revision}`,
    "",
    `${model}, ${navigator.hardwareConcurrency} cores ` +
    `(${vectors.filter((flag) => flags.includes(flag)).join(" ")}), ` +
    `${(Deno.systemMemoryInfo().total / 1e9).toFixed(0)} GB; load average at the end ${load}.`,
    "",
  ].join("\n");
}
