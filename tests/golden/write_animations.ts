/**
 * For make_animation.py: reads frames from standard input as JSON, writes each kind of animation to
 * standard output as JSON of base64.
 */
import { Buffer } from "node:buffer";
import { frameSink } from "../../pipeline/animation.ts";
import { Image } from "../../pipeline/image.ts";

interface Request {
  width: number;
  height: number;
  frames: string[];
  cases: Record<string, { kind: "gif" | "apng" | "y4m" | "rgb"; options: Record<string, unknown> }>;
}

const request: Request = await new Response(Deno.stdin.readable).json();
const out: Record<string, string> = {};
for (const [name, { kind, options }] of Object.entries(request.cases)) {
  const parts: Uint8Array[] = [];
  const target = { write: (bytes: Uint8Array) => Promise.resolve(void parts.push(bytes.slice())) };
  const sink = frameSink(kind, target, options);
  for (const frame of request.frames) {
    const data = new Uint8ClampedArray(Buffer.from(frame, "base64"));
    await sink.write(new Image(request.width, request.height, data));
  }
  await sink.close();
  out[name] = Buffer.concat(parts).toString("base64");
}
console.log(JSON.stringify(out));
