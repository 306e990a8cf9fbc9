/**
 * Providers with other options than they were given with.
 *
 * @module
 */

import type { Provider } from "../ffi/providers.ts";

/** The provider without recording of kernels, which only memory that never moves allows. */
export function unrecorded(provider: Provider): Provider {
  const { enable_cuda_graph: _, trt_cuda_graph_enable: __, ...options } = provider.options;
  return { ...provider, options };
}

/** The provider, and with convolutions whose pictures have their channels last, as its kernels like them. */
export function withChannelsLast(provider: Provider): Provider {
  if (provider.via !== "cuda") return provider;
  return { ...provider, options: { prefer_nhwc: "1", ...provider.options } };
}
