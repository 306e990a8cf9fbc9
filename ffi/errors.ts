/** One library name that was tried and why it did not load. */
export interface LibraryAttempt {
  readonly path: string;
  readonly reason: string;
}

/** No ONNX Runtime library could be opened. */
export class LibraryNotFoundError extends Error {
  override readonly name = "LibraryNotFoundError";
  /** Every path tried, in order, with the loader's own message. */
  readonly tried: readonly LibraryAttempt[];

  constructor(tried: readonly LibraryAttempt[]) {
    const lines = tried.map(({ path, reason }) => `\n  ${path}: ${reason}`);
    super(
      `Cannot open ONNX Runtime: no library loaded; tried${lines.join("")}\n` +
        "Pass the library's path, or set ORT_DYLIB_PATH.",
    );
    this.tried = tried;
  }
}

/** A library was opened, but it is not ONNX Runtime. */
export class MissingSymbolError extends Error {
  override readonly name = "MissingSymbolError";
  readonly path: string;
  readonly symbol: string;

  constructor(path: string, symbol: string, options?: ErrorOptions) {
    super(
      `Cannot use ${path} as ONNX Runtime: it does not export ${symbol}. ` +
        "Pass the path of libonnxruntime (not of a provider library or a language binding).",
      options,
    );
    this.path = path;
    this.symbol = symbol;
  }
}

/** The ONNX Runtime found is too old, for everything or for one function. */
export class LibraryVersionError extends Error {
  override readonly name = "LibraryVersionError";
  readonly path: string;
  readonly found: string;
  readonly needed: string;

  constructor(path: string, found: string, needed: string, what = "this program") {
    super(
      `Cannot use ONNX Runtime at ${path}: it is too old for ${what}; ` +
        `got ${found}, expected ${needed} or later. Install a newer one or set ORT_DYLIB_PATH.`,
    );
    this.path = path;
    this.found = found;
    this.needed = needed;
  }
}

/** `enum OrtErrorCode`, by number. */
const ORT_ERROR_CODES = [
  "OK",
  "FAIL",
  "INVALID_ARGUMENT",
  "NO_SUCHFILE",
  "NO_MODEL",
  "ENGINE_ERROR",
  "RUNTIME_EXCEPTION",
  "INVALID_PROTOBUF",
  "MODEL_LOADED",
  "NOT_IMPLEMENTED",
  "INVALID_GRAPH",
  "EP_FAIL",
  "MODEL_LOAD_CANCELED",
  "MODEL_REQUIRES_COMPILATION",
  "NOT_FOUND",
] as const;

/** A failure that ONNX Runtime itself reported. */
export class OrtError extends Error {
  override readonly name = "OrtError";
  /** The name in `enum OrtErrorCode`, without its prefix. */
  readonly code: string;
  /** The C function that failed. */
  readonly operation: string;
  /** ONNX Runtime's own text. */
  readonly detail: string;

  constructor(code: number, operation: string, message: string) {
    const name = ORT_ERROR_CODES[code] ?? `code ${code}`;
    super(`Cannot ${operation}: ONNX Runtime answered ${name}: ${message}`);
    this.code = name;
    this.operation = operation;
    this.detail = message;
  }
}

/** Something that owned native memory was used after its disposal. */
export class DisposedError extends Error {
  override readonly name = "DisposedError";
  readonly what: string;

  constructor(what: string) {
    super(`Cannot use this ${what}: it was disposed. Keep it open until its last use.`);
    this.what = what;
  }
}

/** An execution provider could not be used. */
export class ProviderError extends Error {
  override readonly name = "ProviderError";
  readonly provider: string;
  readonly reason: string;

  constructor(provider: string, reason: string, options?: ErrorOptions) {
    super(
      `Cannot use the execution provider ${provider}: ${reason} ` +
        "Install what it needs, or list a fallback such as cpu() after it.",
      options,
    );
    this.provider = provider;
    this.reason = reason;
  }
}
