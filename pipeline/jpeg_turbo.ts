import { createRequire } from "node:module";

/** Decodes a gray or colour JPEG to RGBA; throws if the data is damaged in any way. */
export type TurboDecoder = (
  bytes: Uint8Array,
) => { readonly width: number; readonly height: number; readonly data: Uint8ClampedArray };

let current: TurboDecoder | undefined;

/** libjpeg-turbo compiled to WebAssembly, loaded at the first call. */
export async function turboDecoder(): Promise<TurboDecoder> {
  return current ??= (await import("npm:@cwasm/jpeg-turbo@0.1.3")).default.decode;
}

/**
 * Makes the next picture meet a fresh decoder; to be called after a failure.
 *
 * libjpeg leaves by longjmp, which this WebAssembly turns into an exception that does not wind its
 * stack back: after some 200 damaged files the stack is used up, and good files fail too. The package
 * makes its one instance when it is loaded, so a fresh one takes loading it anew.
 */
export function renewTurboDecoder(): void {
  const require = createRequire(Deno.build.os === "windows" ? "C:/latent.js" : "/latent.js");
  const path = Object.keys(require.cache).find((key) => /[\\/]jpeg-turbo[\\/]/.test(key));
  if (path === undefined) return;
  delete require.cache[path];
  current = (require(path) as { decode: TurboDecoder }).decode;
}
