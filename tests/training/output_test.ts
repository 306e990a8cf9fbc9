import assert from "node:assert/strict";
import { join } from "node:path";
import { besideOutput, folderWhole } from "../../training/output.ts";
import { inFolder } from "./run.ts";

Deno.test("besideOutput names what lies beside a folder, with a slash at its end or without", () => {
  assert.equal(besideOutput("out/model", "class"), "out/model.class");
  assert.equal(besideOutput("out/model//", "class"), "out/model.class");
});

Deno.test("folderWhole makes the folder, or leaves nothing", async () => {
  await inFolder(async (folder) => {
    const names = () => [...Deno.readDirSync(folder)].map(({ name }) => name);
    const write = async (beside: string) => {
      await Deno.mkdir(beside);
      await Deno.writeTextFile(join(beside, "a.txt"), "whole");
      assert.notDeepEqual(names(), ["model"]);
    };
    await assert.rejects(
      folderWhole(join(folder, "model"), async (beside) => {
        await write(beside);
        throw new Error("the disk is full");
      }),
      /the disk is full/,
    );
    assert.deepEqual(names(), []);
    await folderWhole(join(folder, "model/"), write);
    assert.deepEqual(names(), ["model"]);
    assert.equal(await Deno.readTextFile(join(folder, "model", "a.txt")), "whole");
  });
});
