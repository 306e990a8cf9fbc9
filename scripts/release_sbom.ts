/**
 * What a binary is made of, as a CycloneDX 1.5 bill of materials.
 *
 * @module
 */

import type { Compiled } from "./compile.ts";

/** One component. */
interface Component {
  readonly type: "library" | "framework" | "machine-learning-model" | "data";
  readonly name: string;
  readonly version: string;
  readonly purl?: string;
  readonly licenses?: readonly { readonly expression: string }[];
}

/** An npm package that is inside. */
export interface NpmPackage {
  readonly name: string;
  readonly version: string;
  readonly license: string | undefined;
}

/** The bill of materials of one binary. `sha256` is the binary's. */
export function sbomOf(
  { target, version }: Compiled,
  program: { readonly name: string; readonly version: string; readonly license: string },
  contents: {
    readonly sha256: string;
    readonly packages: readonly NpmPackage[];
    readonly deno: string;
  },
): Record<string, unknown> {
  const licensed = (expression: string | undefined) =>
    expression === undefined ? {} : { licenses: [{ expression }] };
  const components: Component[] = [
    { type: "framework", name: "deno", version: contents.deno, ...licensed("MIT") },
    {
      type: "library",
      name: "onnxruntime",
      version,
      purl: `pkg:npm/onnxruntime-node@${version}`,
      ...licensed("MIT"),
    },
    {
      type: "machine-learning-model",
      name: "digits",
      version: program.version,
      ...licensed("MIT"),
    },
    { type: "data", name: "clip-merges", version: program.version },
    ...contents.packages.map(({ name, version, license }): Component => ({
      type: "library",
      name,
      version,
      purl: `pkg:npm/${name.replace("@", "%40")}@${version}`,
      ...licensed(license),
    })),
  ];
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.5",
    version: 1,
    metadata: {
      component: {
        type: "application",
        name: program.name,
        version: program.version,
        ...licensed(program.license),
        hashes: [{ alg: "SHA-256", content: contents.sha256 }],
        properties: [{ name: "platform", value: target.platform }],
      },
    },
    components,
  };
}
