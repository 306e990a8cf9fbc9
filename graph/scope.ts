/** Readable node names: the path of `scope` calls during which a node was made. */

const path: string[] = [];

/**
 * Names every node made by `build` under `name`, nested: "down_blocks.0/resnets.1/conv1". The names
 * are for people; they change nothing that is computed. `build` must be synchronous.
 */
export function scope<T>(name: string, build: () => T): T {
  path.push(name);
  try {
    return build();
  } finally {
    path.pop();
  }
}

/** The current path, "" at the top. */
export function currentScope(): string {
  return path.join("/");
}
