/**
 * What pictures a terminal can show: told by its environment, else asked.
 *
 * @module
 */

/** Ways to show a picture on a terminal, best first. */
export type PreviewFormat = "kitty" | "iterm2" | "sixel" | "blocks" | "ascii";

/** Names of all formats. */
export const PREVIEW_FORMATS = ["kitty", "iterm2", "sixel", "blocks", "ascii"] as const;

/** Reads an environment variable. */
export type Environment = (name: string) => string | undefined;

/** Terminals that tell their name in TERM_PROGRAM. */
const PROGRAMS: Readonly<Record<string, PreviewFormat>> = {
  "iTerm.app": "iterm2",
  WezTerm: "iterm2",
  mintty: "iterm2",
  ghostty: "kitty",
  Apple_Terminal: "blocks",
};

/** Terminals that tell their name in TERM. */
const TERMS: Readonly<Record<string, PreviewFormat>> = {
  "xterm-kitty": "kitty",
  "xterm-ghostty": "kitty",
  foot: "sixel",
  "foot-extra": "sixel",
  mlterm: "sixel",
  linux: "blocks",
  dumb: "ascii",
};

/** The format that the environment tells of, or undefined where the terminal has to be asked. */
export function formatByEnvironment(env: Environment): PreviewFormat | undefined {
  const term = env("TERM") ?? "dumb";
  if (env("NO_COLOR")) return "ascii"; // no-color.org: set and not empty
  // A multiplexer keeps the variables of the terminal around it, but not its abilities.
  if (env("TMUX") || env("STY") || /^(screen|tmux)/.test(term)) return "blocks";
  const program = env("TERM_PROGRAM");
  if (program !== undefined && Object.hasOwn(PROGRAMS, program)) return PROGRAMS[program];
  if (env("KITTY_WINDOW_ID")) return "kitty";
  return Object.hasOwn(TERMS, term) ? TERMS[term] : undefined;
}

/** A terminal that can be asked. */
export interface Asked {
  write(text: string): void;
  /** What comes in within `milliseconds`, or "" when nothing does. */
  read(milliseconds: number): Promise<string>;
}

/** How long a terminal may take to answer: over a slow line, longer than a frame or two. */
const PATIENCE = 400;

/**
 * Asks for kitty's graphics (a query of one pixel), then for the device attributes (DA1), which
 * every terminal answers, so that there is an end to wait for. Attribute 4 is sixel.
 */
export async function askFormat(terminal: Asked): Promise<PreviewFormat> {
  terminal.write("\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[c");
  let answer = "";
  const until = performance.now() + PATIENCE;
  const attributes = /\x1b\[\?([\d;]*)c/;
  for (
    let left = PATIENCE;
    left > 0 && !attributes.test(answer);
    left = until - performance.now()
  ) {
    const part = await terminal.read(left);
    if (part === "") break;
    answer += part;
  }
  if (answer.includes("_Gi=31;OK")) return "kitty";
  return attributes.exec(answer)?.[1]?.split(";").includes("4") ? "sixel" : "blocks";
}

/** Asks the terminal on standard error, whose answers come in by standard input. */
export async function askTerminal(): Promise<PreviewFormat> {
  if (!Deno.stdin.isTerminal()) return "blocks";
  Deno.stdin.setRaw(true);
  try {
    return await askFormat({
      write: (text) => void Deno.stderr.writeSync(new TextEncoder().encode(text)),
      read: readWithin,
    });
  } finally {
    Deno.stdin.setRaw(false);
  }
}

async function readWithin(milliseconds: number): Promise<string> {
  const buffer = new Uint8Array(256);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), milliseconds);
  });
  const count = await Promise.race([Deno.stdin.read(buffer), silence]);
  clearTimeout(timer);
  return new TextDecoder().decode(buffer.subarray(0, count ?? 0));
}

/** Whether the terminal shows 24-bit colours; others get the 256 of xterm. */
export function hasTrueColor(env: Environment): boolean {
  return /truecolor|24bit/.test(env("COLORTERM") ?? "") || /-direct$/.test(env("TERM") ?? "") ||
    env("TERM_PROGRAM") === "iTerm.app";
}
