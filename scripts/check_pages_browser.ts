/** A headless Chromium, spoken to by its debugging protocol. */

/** What a page did while it was opened. */
export interface Opened {
  /** Errors and warnings of the console, and exceptions. */
  readonly errors: readonly string[];
  /** Addresses that were asked for, other than files and data. */
  readonly requests: readonly string[];
}

/** An answer or an event. */
interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

/** A running browser; dispose it. */
export class Browser implements AsyncDisposable {
  private constructor(readonly process: Deno.ChildProcess, readonly port: string) {}

  /** Starts the browser and waits for its debugging port. */
  static async start(path: string): Promise<Browser> {
    const profile = await Deno.makeTempDir({ prefix: "check-pages-" });
    const process = new Deno.Command(path, {
      args: [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--remote-debugging-port=0",
        `--user-data-dir=${profile}`,
        "about:blank",
      ],
      stdout: "null",
      stderr: "piped",
    }).spawn();
    let said = "";
    for await (const text of process.stderr.pipeThrough(new TextDecoderStream())) {
      said += text;
      const port = /DevTools listening on ws:\/\/127\.0\.0\.1:(\d+)/.exec(said)?.[1];
      if (port !== undefined) return new Browser(process, port);
    }
    throw new Error(`Cannot start ${path}: it said ${said.slice(0, 400)}`);
  }

  /** Opens an empty tab. */
  async tab(): Promise<Tab> {
    const address = `http://127.0.0.1:${this.port}/json/new?about:blank`;
    const answer = await fetch(address, { method: "PUT" });
    const { webSocketDebuggerUrl } = await answer.json() as { webSocketDebuggerUrl: string };
    return await Tab.connect(webSocketDebuggerUrl);
  }

  /** Ends the browser. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.process.kill();
    await this.process.status;
  }
}

/** One tab. */
export class Tab {
  readonly #waiting = new Map<number, PromiseWithResolvers<Record<string, unknown>>>();
  readonly #listeners = new Set<(message: Message) => void>();
  #count = 0;

  private constructor(readonly socket: WebSocket) {
    socket.onmessage = ({ data }) => {
      const message = JSON.parse(data) as Message;
      for (const listener of this.#listeners) listener(message);
      if (message.id === undefined) return;
      const waiting = this.#waiting.get(message.id)!;
      this.#waiting.delete(message.id);
      if (message.error) waiting.reject(new Error(message.error.message));
      else waiting.resolve(message.result ?? {});
    };
  }

  /** Connects to a tab's debugging address. */
  static async connect(address: string): Promise<Tab> {
    const socket = new WebSocket(address);
    await new Promise((done, fail) => {
      socket.onopen = done;
      socket.onerror = fail;
    });
    const tab = new Tab(socket);
    for (const domain of ["Page", "Runtime", "Network", "Log"]) await tab.#send(`${domain}.enable`);
    return tab;
  }

  /** Opens a page in a window of this width, and waits until it has loaded. */
  async open(
    url: string,
    { width, scheme }: { readonly width: number; readonly scheme: "light" | "dark" },
  ): Promise<Opened> {
    const errors: string[] = [], requests: string[] = [];
    const loaded = Promise.withResolvers<void>();
    const listen = ({ method, params }: Message) => {
      if (method === "Page.loadEventFired") loaded.resolve();
      if (method === "Runtime.exceptionThrown" || method === "Log.entryAdded") {
        errors.push(JSON.stringify(params).slice(0, 300));
      }
      if (method === "Runtime.consoleAPICalled" && /error|warning/.test(String(params!.type))) {
        errors.push(JSON.stringify(params!.args).slice(0, 300));
      }
      const request = params?.request as { url: string } | undefined;
      if (method === "Network.requestWillBeSent" && !/^(file|data|blob):/.test(request!.url)) {
        requests.push(request!.url);
      }
    };
    await this.#send("Emulation.setDeviceMetricsOverride", {
      width,
      height: 900,
      deviceScaleFactor: 1,
      mobile: width < 600,
    });
    const features = [{ name: "prefers-color-scheme", value: scheme }];
    await this.#send("Emulation.setEmulatedMedia", { features });
    this.#listeners.add(listen);
    await this.#send("Page.navigate", { url });
    await loaded.promise;
    this.#listeners.delete(listen);
    return { errors, requests };
  }

  /** The value of an expression, awaited. @throws Error for one that throws. */
  async evaluate(expression: string): Promise<unknown> {
    const { result, exceptionDetails } = await this.#send("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
    }) as { result: { value: unknown }; exceptionDetails?: { text: string } };
    if (exceptionDetails) throw new Error(exceptionDetails.text);
    return result.value;
  }

  /** The whole page as PNG. */
  async screenshot(): Promise<Uint8Array> {
    const options = { format: "png", captureBeyondViewport: true };
    const { data } = await this.#send("Page.captureScreenshot", options) as { data: string };
    return Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  }

  /** Closes the tab. */
  async close(): Promise<void> {
    await this.#send("Page.close");
    this.socket.close();
  }

  #send(method: string, params: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    const id = ++this.#count, waiting = Promise.withResolvers<Record<string, unknown>>();
    this.#waiting.set(id, waiting);
    this.socket.send(JSON.stringify({ id, method, params }));
    return waiting.promise;
  }
}
