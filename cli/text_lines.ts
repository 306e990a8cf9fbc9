/**
 * A stream of text as a stream of lines.
 *
 * @module
 */

/** Splits text chunks at line ends; `\r\n` counts as one, and a last line needs none. */
export class TextLineStream extends TransformStream<string, string> {
  constructor() {
    let rest = "";
    super({
      transform(chunk, controller) {
        const lines = (rest + chunk).split("\n");
        rest = lines.pop()!;
        for (const line of lines) controller.enqueue(line.replace(/\r$/, ""));
      },
      flush(controller) {
        if (rest !== "") controller.enqueue(rest.replace(/\r$/, ""));
      },
    });
  }
}
