// Run with --v8-flags=--expose-gc by gc_test.ts: never disposes anything, collects garbage all the time,
// and prints what is left alive in the end.
import { Tensor } from "../../ffi/tensor.ts";
import { floats, loopFeeds, model, ort } from "./fixtures.ts";

declare function gc(): void;
const pause = () => new Promise<void>((resolve) => setTimeout(resolve, 0));

/** Only a piece of an output's array is kept; its tensor and session are forgotten. */
async function keepPiece(): Promise<Float32Array> {
  const session = ort().createSession(model("identity_float32"));
  const x = Tensor.from(ort(), "float32", new Float32Array(1 << 18).fill(7), [1 << 18]);
  const { y } = await session.run({ x });
  return (y?.data as Float32Array).subarray(1000);
}

/** Everything that a run needs is forgotten while it goes on; its memory is overwritten if freed. */
async function forgetDuringRun(): Promise<number> {
  const running = ort().createSession(model("loop"), { intraOpThreads: 1 }).run(loopFeeds(300));
  const rubbish: Float32Array[] = [];
  for (let i = 0; i < 20; i++) {
    gc();
    rubbish.push(new Float32Array(64 * 64).fill(NaN));
    await pause();
  }
  const { y } = await running;
  return y?.data[1] as number;
}

async function bindingOf(values: number[]): Promise<number> {
  const binding = ort().createSession(model("linear")).bind();
  binding.bindInput("x", floats(values, [1, 3])).bindOutput("y", { name: "Cpu" });
  gc();
  await binding.run();
  gc();
  return binding.outputs()["y"]?.data[0] as number;
}

const pieces = [await keepPiece(), await keepPiece()];
const results = [await forgetDuringRun(), await bindingOf([1, 2, 3])];
for (let i = 0; i < 10; i++) {
  gc();
  await pause();
}
const intact = pieces.every((piece) => piece.every((value) => value === 7));
const held = Object.fromEntries(ort().alive);
pieces.length = 0;
for (let i = 0; i < 10; i++) {
  gc();
  await pause();
}
console.log(JSON.stringify({ intact, results, held, left: Object.fromEntries(ort().alive) }));
