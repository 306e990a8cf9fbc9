import type { Handle } from "./handle.ts";
import { cstring } from "./memory.ts";
import type { Native } from "./native.ts";

/** What every kind of run takes. */
export interface RunSettings {
  /** Stops the run; its promise then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Run config entries, such as `gpu_graph_id` (onnxruntime_run_options_config_keys.h). */
  readonly config?: Readonly<Record<string, string>> | undefined;
}

/** Creates `OrtRunOptions` with the config entries. */
export function createRunOptions(native: Native, settings: RunSettings): Handle {
  const pointer = native.pointer("CreateRunOptions");
  const handle = native.own("RunOptions", pointer, "ReleaseRunOptions");
  try {
    for (const [key, value] of Object.entries(settings.config ?? {})) {
      native.call("AddRunConfigEntry", handle.pointer, cstring(key), cstring(value));
    }
  } catch (error) {
    handle.dispose();
    throw error;
  }
  return handle;
}

/**
 * Runs `start`, telling ONNX Runtime to stop when the signal aborts. It waits for the native call to end
 * even then, because until then the call uses its tensors.
 *
 * @throws the signal's reason if it aborted, whatever the run then answered.
 */
export async function cancellable(
  native: Native,
  runOptions: Handle,
  signal: AbortSignal | undefined,
  start: () => Promise<void>,
): Promise<void> {
  if (signal === undefined) return await start();
  signal.throwIfAborted();
  const stop = () => native.call("RunOptionsSetTerminate", runOptions.pointer);
  signal.addEventListener("abort", stop, { once: true });
  try {
    await start();
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    signal.removeEventListener("abort", stop);
  }
  signal.throwIfAborted();
}
