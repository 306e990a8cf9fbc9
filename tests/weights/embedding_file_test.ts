import { strict as assert } from "node:assert";
import { join } from "node:path";
import { readEmbeddingFile } from "../../weights/embedding_file.ts";
import { ModelFormatError } from "../../weights/model_format_error.ts";
import { openTorchFile } from "../../weights/torch_file.ts";
import { tensorInMemory, tensorSource } from "../../weights/stored_tensor.ts";
import { GOLDEN } from "./golden.ts";

const tensor = (name: string, shape: number[]) =>
  tensorInMemory(name, "F32", shape, new Float32Array(shape.reduce((n, size) => n * size, 1)));
const read = (tensors: ReturnType<typeof tensor>[], metadata = {}) =>
  readEmbeddingFile(tensorSource("/some/folder/my style.safetensors", tensors, metadata));
const shapes = ({ token, vectors }: ReturnType<typeof read>) => ({
  token,
  vectors: vectors.map(({ encoder, count, width }) => [encoder, count, width]),
});

Deno.test("readEmbeddingFile reads each kind of file, with its word", () => {
  assert.deepEqual(shapes(read([tensor("<cat>", [768])])), {
    token: "<cat>",
    vectors: [[undefined, 1, 768]],
  });
  assert.deepEqual(shapes(read([tensor("<cat>", [2, 8])])), {
    token: "<cat>",
    vectors: [[undefined, 2, 8]],
  });
  assert.deepEqual(shapes(read([tensor("emb_params", [3, 8])])), {
    token: "my style",
    vectors: [[undefined, 3, 8]],
  });
  assert.deepEqual(shapes(read([tensor("clip_g", [2, 1280]), tensor("clip_l", [2, 768])])), {
    token: "my style",
    vectors: [["text_encoder", 2, 768], ["text_encoder_2", 2, 1280]],
  });
  const named = read([tensor("clip_g", [1280]), tensor("clip_l", [768])], { token: "<cat>" });
  assert.equal(named.token, "<cat>");
});

Deno.test("readEmbeddingFile reads embeddings of AUTOMATIC1111 from torch files", async () => {
  for (
    const [file, token] of [["embedding.pt", "thing"], ["embedding_module.pt", "embedding_module"]]
  ) {
    const found = readEmbeddingFile(await openTorchFile(join(GOLDEN, file!)));
    assert.deepEqual(shapes(found), { token, vectors: [[undefined, 2, 4]] });
  }
});

Deno.test("readEmbeddingFile refuses other files and shapes", () => {
  const cases: [tensors: ReturnType<typeof tensor>[], message: RegExp][] = [
    [[], /it has 0 tensors, expected one; got none/],
    [[tensor("a", [1]), tensor("b", [1])], /it has 2 tensors, expected one; got a, b/],
    [[tensor("a", [1, 2, 3])], /its shape is \[1,2,3\]/],
    [[tensor("a", [])], /its shape is \[\]/],
    [[tensor("a", [0, 8])], /its shape is \[0,8\]/],
  ];
  for (const [tensors, message] of cases) {
    assert.throws(() => read(tensors), (error: Error) => {
      assert.match(error.message, message);
      return error instanceof ModelFormatError;
    });
  }
});
