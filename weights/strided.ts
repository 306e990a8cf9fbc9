/** Where the elements of a tensor lie in its storage. */
export interface Layout {
  /** Sizes, outermost first. */
  readonly shape: readonly number[];
  /** Elements from one index to the next, for each axis. */
  readonly strides: readonly number[];
}

/** Whether the elements lie in row-major order without gaps; dimensions of one element don't count. */
export function isContiguous({ shape, strides }: Layout): boolean {
  let expected = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] !== 1 && strides[i] !== expected) return false;
    expected *= shape[i]!;
  }
  return true;
}

/** Copies a strided view, whose first element is at byte 0, to row-major order. */
export function gather(
  bytes: Uint8Array,
  elementBytes: number,
  { shape, strides }: Layout,
): Uint8Array {
  const count = shape.reduce((product, size) => product * size, 1);
  const out = new Uint8Array(count * elementBytes);
  const index = shape.map(() => 0);
  let from = 0;
  for (let i = 0; i < count; i++) {
    for (let b = 0; b < elementBytes; b++) {
      out[i * elementBytes + b] = bytes[from * elementBytes + b]!;
    }
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      from -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return out;
}
