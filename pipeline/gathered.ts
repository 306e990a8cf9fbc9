/**
 * Successive items in groups: what is drawn in step.
 *
 * @module
 */

/** What {@linkcode gathered} needs to know. */
export interface Gathering<T> {
  /** How many items may go with this one, with itself. */
  readonly size: (first: T) => number;
  /** Whether an item may go with those that are there. */
  readonly joins: (group: readonly T[], item: T) => boolean;
  /** How long to wait for one more, in milliseconds. Default: until it comes. */
  readonly patience?: number | undefined;
}

/** Puts successive items into groups. A full group is given before the next item is asked for. */
export async function* gathered<T>(
  items: AsyncIterable<T>,
  { size, joins, patience }: Gathering<T>,
): AsyncGenerator<T[], void, void> {
  const iterator = items[Symbol.asyncIterator]();
  let group: T[] = [], next: Promise<IteratorResult<T>> | undefined;
  try {
    while (true) {
      next ??= iterator.next();
      // An item that is late does not hold up those that are there.
      if (group.length > 0 && !await comes(next, patience)) {
        yield group;
        group = [];
      }
      const { done, value } = await next;
      next = undefined;
      if (done) break;
      if (group.length > 0 && !joins(group, value)) {
        yield group;
        group = [];
      }
      group.push(value);
      if (group.length < size(group[0]!)) continue;
      yield group;
      group = [];
    }
    if (group.length > 0) yield group;
  } finally {
    // One that is still asked for an item would let us wait for it.
    if (!next) await iterator.return?.();
  }
}

async function comes(next: Promise<unknown>, patience: number | undefined): Promise<boolean> {
  if (patience === undefined) return true;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<false>((resolve) => timer = setTimeout(resolve, patience, false));
  try {
    return await Promise.race([next.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
