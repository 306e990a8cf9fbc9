/** An execution provider to use, as plain data; made by the functions of this file. */
export interface Provider {
  /** ONNX Runtime's name for it, for messages and for {@linkcode Runtime.providers}. */
  readonly name: string;
  /** Which C functions add it to a session. */
  readonly via: "builtin" | "cuda" | "tensorrt" | "openvino" | "named" | "plugin";
  /** The provider's own options. */
  readonly options: Readonly<Record<string, string>>;
  /** Libraries to load first, in this order, so that the provider's own dependencies are found. */
  readonly preload: readonly string[];
  /** The provider's library, for a plugin. */
  readonly library?: string;
  /** Which of the plugin's devices to use; all by default. */
  readonly device?: "cpu" | "gpu" | "npu";
}

/** What every provider function takes beside its own options. */
export interface ProviderExtras {
  /** Options by their name in the provider's documentation; they win over the named ones. */
  readonly extra?: Readonly<Record<string, string>>;
  /** Libraries to load before the provider, such as `libcudart.so.13`, by path. */
  readonly preload?: readonly string[];
}

/** ONNX Runtime's own kernels; listed last, the others may leave operators to it. */
export function cpu(): Provider {
  return { name: "CPUExecutionProvider", via: "builtin", options: {}, preload: [] };
}

/** Options of {@linkcode cuda}; the defaults are the provider's. */
export interface CudaOptions extends ProviderExtras {
  /** Which GPU; the first by default. */
  readonly deviceId?: number;
  /** The arena's limit in bytes. */
  readonly memoryLimitBytes?: number;
  /** Grow the arena in powers of two, or by what is asked for. */
  readonly arenaExtend?: "nextPowerOfTwo" | "sameAsRequested";
  /** How cuDNN picks its convolution algorithm. */
  readonly convolutionSearch?: "exhaustive" | "heuristic" | "default";
  /** Let cuDNN take as much workspace as its fastest algorithm wants. */
  readonly convolutionMaxWorkspace?: boolean;
  /** Lay images out with channels last, which tensor cores prefer. */
  readonly channelsLast?: boolean;
  /** Multiply float32 with 10-bit mantissas on tensor cores. */
  readonly tf32?: boolean;
  /**
   * Record the kernels of a run once and replay them. It needs fixed shapes and a binding, and runs with
   * runSync: the recording belongs to a thread, and nonblocking runs change threads.
   */
  readonly cudaGraph?: boolean;
}

/** NVIDIA GPUs through CUDA; needs a build of ONNX Runtime with it, CUDA and cuDNN. */
export function cuda(options: CudaOptions = {}): Provider {
  const extend = { nextPowerOfTwo: "kNextPowerOfTwo", sameAsRequested: "kSameAsRequested" };
  return {
    name: "CUDAExecutionProvider",
    via: "cuda",
    preload: options.preload ?? [],
    options: given({
      device_id: options.deviceId,
      gpu_mem_limit: options.memoryLimitBytes,
      arena_extend_strategy: options.arenaExtend && extend[options.arenaExtend],
      cudnn_conv_algo_search: options.convolutionSearch?.toUpperCase(),
      cudnn_conv_use_max_workspace: options.convolutionMaxWorkspace,
      prefer_nhwc: options.channelsLast,
      use_tf32: options.tf32,
      enable_cuda_graph: options.cudaGraph,
    }, options.extra),
  };
}

/** Options of {@linkcode tensorrt}; the defaults are the provider's. */
export interface TensorrtOptions extends ProviderExtras {
  /** Which GPU; the first by default. */
  readonly deviceId?: number;
  /** Compute in float16 where TensorRT thinks it is fast. */
  readonly float16?: boolean;
  /** Compute in bfloat16 likewise. */
  readonly bfloat16?: boolean;
  /** A folder for built engines: building one takes minutes. */
  readonly cacheFolder?: string;
  /** Record the kernels of a run once and replay them; as for {@linkcode cuda}. */
  readonly cudaGraph?: boolean;
}

/** NVIDIA GPUs through TensorRT; list {@linkcode cuda} after it for what TensorRT leaves. */
export function tensorrt(options: TensorrtOptions = {}): Provider {
  const { cacheFolder } = options;
  return {
    name: "TensorrtExecutionProvider",
    via: "tensorrt",
    preload: options.preload ?? [],
    options: given({
      device_id: options.deviceId,
      trt_fp16_enable: options.float16,
      trt_bf16_enable: options.bfloat16,
      trt_engine_cache_enable: cacheFolder === undefined ? undefined : true,
      trt_engine_cache_path: cacheFolder,
      trt_timing_cache_enable: cacheFolder === undefined ? undefined : true,
      trt_cuda_graph_enable: options.cudaGraph,
    }, options.extra),
  };
}

/** NVIDIA RTX GPUs through TensorRT for RTX, which builds its engines in seconds. */
export function tensorrtRtx(
  options: Pick<CudaOptions, "deviceId" | "cudaGraph"> & ProviderExtras = {},
): Provider {
  return {
    name: "NvTensorRtRtx",
    via: "named",
    preload: options.preload ?? [],
    options: given({
      device_id: options.deviceId,
      enable_cuda_graph: options.cudaGraph,
    }, options.extra),
  };
}

/** Options of {@linkcode openvino}; the defaults are the provider's. */
export interface OpenvinoOptions extends ProviderExtras {
  /** `CPU`, `GPU`, `NPU`, or a combination such as `AUTO:GPU,CPU`. */
  readonly device?: string;
  /**
   * A folder for compiled models. They hold the weights, too: large models are read from it more
   * slowly than they are compiled anew.
   */
  readonly cacheFolder?: string;
  /** Threads of OpenVINO itself. */
  readonly threads?: number;
  /** OpenVINO's own configuration by device, for example `{ CPU: { INFERENCE_PRECISION_HINT: "bf16" } }`. */
  readonly config?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** Intel's OpenVINO, where it is built into the library (the wheel onnxruntime-openvino). */
export function openvino(options: OpenvinoOptions = {}): Provider {
  return {
    name: "OpenVINOExecutionProvider",
    via: "openvino",
    preload: options.preload ?? [],
    options: given({
      device_type: options.device,
      cache_dir: options.cacheFolder,
      num_of_threads: options.threads,
      load_config: options.config && JSON.stringify(options.config),
    }, options.extra),
  };
}

/** GPUs through WebGPU, where it is built into the library (npm's onnxruntime-node has it). */
export function webgpu(options: ProviderExtras = {}): Provider {
  return named("WebGPU", options);
}

/** Any other provider that is built in and known by a name: `XNNPACK`, `QNN`, `CoreML`, `DML`, ... */
export function named(name: string, options: ProviderExtras = {}): Provider {
  return { name, via: "named", preload: options.preload ?? [], options: { ...options.extra } };
}

/** Options of {@linkcode plugin}. */
export interface PluginOptions extends ProviderExtras {
  /** The provider's name, as its devices report it. */
  readonly name: string;
  /** The path of the provider's library. */
  readonly library: string;
  /** Which of its devices to use; all by default. */
  readonly device?: "cpu" | "gpu" | "npu";
  /** The provider's options; the same as `extra`. */
  readonly options?: Readonly<Record<string, string>>;
}

/** A provider in a library of its own. */
export function plugin(options: PluginOptions): Provider {
  return {
    name: options.name,
    via: "plugin",
    library: options.library,
    preload: options.preload ?? [],
    options: { ...options.options, ...options.extra },
    ...(options.device === undefined ? {} : { device: options.device }),
  };
}

/** The memory that a provider computes in: as {@linkcode IoBinding.bindOutput} takes it. */
export function deviceMemory(
  { via, options }: Provider,
): { readonly name: string; readonly deviceId: number } {
  const isCuda = via === "cuda" || via === "tensorrt";
  return { name: isCuda ? "Cuda" : "Cpu", deviceId: Number((isCuda && options.device_id) || 0) };
}

/** The options that were given, as the strings that ONNX Runtime reads. */
function given(
  options: Readonly<Record<string, string | number | boolean | undefined>>,
  extra: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const set = Object.entries(options).filter(([, value]) => value !== undefined);
  const texts = set.map((
    [key, value],
  ) => [key, typeof value === "boolean" ? (value ? "1" : "0") : `${value}`]);
  return { ...Object.fromEntries(texts), ...extra };
}
