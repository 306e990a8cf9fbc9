import type { OrtApi } from "./api.ts";
import { providerError } from "./append_providers.ts";
import { OrtError, ProviderError } from "./errors.ts";
import { cpath, pointerIn } from "./memory.ts";
import type { Native } from "./native.ts";
import { cpu, type Provider } from "./providers.ts";
import { Session } from "./session.ts";
import type { PreparedOptions, SessionOptions } from "./session_options.ts";

/** Answers that are about the model and not about a provider. */
const MODEL_CODES = ["NO_SUCHFILE", "NO_MODEL", "INVALID_PROTOBUF"];

/**
 * The tries at one session. Some providers fail only when the session is created (WebGPU without an
 * adapter); then the next in the list is their fallback.
 */
export class Attempts {
  readonly #options: SessionOptions;
  #providers: readonly Provider[];
  #skipped: ProviderError[] = [];

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#providers = options.providers ?? [cpu()];
  }

  /** The options of the next try. */
  get options(): SessionOptions {
    return this.#options.providers === undefined
      ? this.#options
      : { ...this.#options, providers: this.#providers };
  }

  /** The providers given up so far. */
  get skipped(): readonly ProviderError[] {
    return this.#skipped;
  }

  /**
   * Gives up the first provider of a failed try.
   * @param appended the errors of those that had failed before the session was tried.
   * @throws `error` itself if there is no provider to give up, or the model is to blame.
   */
  fallBack(error: unknown, appended: readonly ProviderError[]): void {
    const [first, ...rest] = this.#providers.filter(({ name }) =>
      !appended.some(({ provider }) => provider === name)
    );
    const hopeless = !(error instanceof OrtError) || MODEL_CODES.includes(error.code) ||
      first === undefined || rest.length === 0;
    if (hopeless) throw refusal(error, first) ?? error;
    this.#skipped.push(...appended, providerError(first, error));
    this.#providers = rest;
  }
}

/** Where OpenVINO's text says which operator it stumbles at. */
const OPENVINO_NODE =
  /While validating ONNX node '<Node\((\w+)\)[^>]*>':\s+(.*?)(?=\s+Check '|\s*$)/s;

/** The error of a provider that cannot run the graph; undefined where the answer is another. */
function refusal(error: unknown, provider: Provider | undefined): ProviderError | undefined {
  if (!(error instanceof OrtError) || !provider) return undefined;
  const node = OPENVINO_NODE.exec(error.detail);
  const reason = node
    ? `it does not take the operator ${node[1]}: ${node[2]!.trim()}.`
    : /fallback to CPU EP has been explicitly disabled/.test(error.detail)
    ? "it does not know all operators of this graph."
    : undefined;
  return reason === undefined
    ? undefined
    : new ProviderError(provider.name, reason, { cause: error });
}

/** The C call that creates a session from bytes or from a path. */
export function creation(
  native: Native,
  model: Uint8Array | string,
  prepared: PreparedOptions,
  out: BigUint64Array<ArrayBuffer>,
) {
  const environment = native.environment.pointer, options = prepared.handle.pointer;
  if (typeof model === "string") {
    const name: keyof OrtApi = "CreateSession";
    return { name, arguments: [environment, cpath(model), options, out] } as const;
  }
  if (!(model instanceof Uint8Array) || model.byteLength === 0) {
    throw new TypeError(
      `Cannot create a session: the model is no ONNX file; got ${
        model instanceof Uint8Array ? "no bytes" : typeof model
      }, expected its bytes or its path.`,
    );
  }
  return {
    name: "CreateSessionFromArray",
    arguments: [environment, model as Uint8Array<ArrayBuffer>, model.byteLength, options, out],
  } as const;
}

/** Wraps the session that C created. */
export function openSession(
  native: Native,
  out: BigUint64Array,
  prepared: PreparedOptions,
  attempts: Attempts,
  model: Uint8Array | string,
): Session {
  const { config = {}, profile } = attempts.options;
  // Only a model in ORT's own format may be read in place.
  const inPlace = config["session.use_ort_model_bytes_directly"] === "1";
  const handle = native.own("Session", pointerIn(out), "ReleaseSession", {
    needs: [native.environment, ...prepared.initializers],
    keeps: inPlace ? model : undefined,
  });
  try {
    const skipped = [...attempts.skipped, ...prepared.skipped];
    return new Session({ native, handle, skipped, profiling: profile !== undefined });
  } catch (error) {
    handle.dispose();
    throw error;
  }
}
