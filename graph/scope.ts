/** Readable node names: the path of `scope` calls during which a node was made. */

let path = "";

/**
 * Names every node made by `build` under `name`, nested: "down_blocks.0/resnets.1/conv1". The names
 * are for people; they change nothing that is computed. `build` must be synchronous.
 */
export function scope<T>(name: string, build: () => T): T {
  return scopeAt(path ? `${path}/${name}` : name, build);
}

/** Names every node made by `build` under a whole path, wherever it is called. */
export function scopeAt<T>(whole: string, build: () => T): T {
  const before = path;
  path = whole;
  try {
    return build();
  } finally {
    path = before;
  }
}

/** The current path, "" at the top. */
export function currentScope(): string {
  return path;
}
