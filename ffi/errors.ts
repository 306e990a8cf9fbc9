/** One library name that was tried and why it did not load. */
export interface LibraryAttempt {
  /** The path or bare file name. */
  readonly path: string;
  /** The loader's message. */
  readonly reason: string;
}

/** No ONNX Runtime library could be opened. */
export class LibraryNotFoundError extends Error {
  /** `LibraryNotFoundError`. */
  override readonly name = "LibraryNotFoundError";
  /** Every path tried, in order, with the loader's own message. */
  readonly tried: readonly LibraryAttempt[];

  /** Says what was tried. */
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
  /** `MissingSymbolError`. */
  override readonly name = "MissingSymbolError";
  /** The library that was opened. */
  readonly path: string;
  /** The function that it lacks. */
  readonly symbol: string;

  /** Says what is missing, and where. */
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

/** The ONNX Runtime found is too old, for everything or for one function; or of a later major version. */
export class LibraryVersionError extends Error {
  /** `LibraryVersionError`. */
  override readonly name = "LibraryVersionError";
  /** The library that was opened. */
  readonly path: string;
  /** Its version. */
  readonly found: string;
  /** The oldest version that would do; `1.x` for one that is too new. */
  readonly needed: string;

  /** Says which version is needed for `what`. */
  constructor(
    path: string,
    found: string,
    needed: string,
    what = "this program",
    fault: "old" | "new" = "old",
  ) {
    const [later, other] = fault === "old" ? [" or later", "a newer"] : ["", "an older"];
    super(
      `Cannot use ONNX Runtime at ${path}: it is too ${fault} for ${what}; ` +
        `got ${found}, expected ${needed}${later}. Install ${other} one or set ORT_DYLIB_PATH.`,
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
  /** `OrtError`, or the name of a kind of it. */
  override readonly name: string = "OrtError";
  /** The name in `enum OrtErrorCode`, without its prefix. */
  readonly code: string;
  /** The C function that failed. */
  readonly operation: string;
  /** ONNX Runtime's own text. */
  readonly detail: string;

  /** Translates `enum OrtErrorCode`. */
  constructor(code: number, operation: string, message: string) {
    const name = ORT_ERROR_CODES[code] ?? `code ${code}`;
    super(`Cannot ${operation}: ONNX Runtime answered ${name}: ${message}`);
    this.code = name;
    this.operation = operation;
    this.detail = message;
  }
}

/** How the arenas of ONNX Runtime, CUDA and C++ say that there is no more memory. */
const OUT_OF_MEMORY =
  /Failed to allocate memory|is smaller than requested bytes|out of memory|OUT_OF_MEMORY|bad_alloc/i;

/** The processor's or the device's memory is not enough; the session and the process live on. */
export class OutOfMemoryError extends OrtError {
  /** `OutOfMemoryError`. */
  override readonly name = "OutOfMemoryError";
  /** The bytes that were asked for in vain, if it was said. */
  readonly requestedBytes: number | undefined;

  /** Reads how much was asked for. */
  constructor(code: number, operation: string, message: string) {
    super(code, operation, message);
    const said = /requested (?:buffer of size|bytes of) (\d+)/.exec(message)?.[1];
    const bytes = said === undefined ? undefined : Number(said);
    this.requestedBytes = bytes;
    const asked = bytes === undefined ? "" : `; got a request of ${(bytes / 1e9).toFixed(2)} GB`;
    this.message = `Cannot ${operation}: there is not enough memory${asked}. ` +
      "Smaller pictures, smaller batches and half precision need less.";
  }
}

/** The error for a failed status: one of its own where memory is not enough. */
export function ortError(code: number, operation: string, message: string): OrtError {
  const Kind = OUT_OF_MEMORY.test(message) ? OutOfMemoryError : OrtError;
  return new Kind(code, operation, message);
}

/** Something that owned native memory was used after its disposal. */
export class DisposedError extends Error {
  /** `DisposedError`. */
  override readonly name = "DisposedError";
  /** The kind of object, such as `Session`. */
  readonly what: string;

  /** Says what was disposed. */
  constructor(what: string) {
    super(`Cannot use this ${what}: it was disposed. Keep it open until its last use.`);
    this.what = what;
  }
}

/** An execution provider could not be used. */
export class ProviderError extends Error {
  /** `ProviderError`. */
  override readonly name = "ProviderError";
  /** ONNX Runtime's name for the provider. */
  readonly provider: string;
  /** Why it cannot be used, a sentence. */
  readonly reason: string;

  /** Says which provider failed, and why. */
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
