/** A row-major matrix of `columns` columns with its rows as columns. */
export function transposed(values: Float32Array, columns: number): Float32Array<ArrayBuffer> {
  const rows = values.length / columns, out = new Float32Array(values.length);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) out[c * rows + r] = values[r * columns + c]!;
  }
  return out;
}
