import assert from "node:assert/strict";

Deno.test("what is forgotten is released, and not before its last use", async () => {
  const program = new URL("forgetful_program.ts", import.meta.url).pathname;
  const args = ["run", "-A", "--no-check", "--v8-flags=--expose-gc", program];
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  assert.deepEqual(JSON.parse(new TextDecoder().decode(stdout)), {
    intact: true,
    results: [0, 26],
    held: { Env: 1, MemoryInfo: 1, Tensor: 2 },
    left: { Env: 1, MemoryInfo: 1 },
  });
});

Deno.test("importing the folder does nothing: it needs no permission", async () => {
  const index = new URL("../../ffi/runtime.ts", import.meta.url).href;
  const code = `import ${JSON.stringify(index)}; console.log("imported");`;
  // From standard input, because `deno eval` has every permission.
  const args = ["run", "--no-prompt", "--no-check", "-"];
  const child = new Deno.Command(Deno.execPath(), {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(code));
  await writer.close();
  const { stdout, stderr } = await child.output();
  assert.equal(
    new TextDecoder().decode(stdout),
    "imported\n",
    new TextDecoder().decode(stderr),
  );
});
