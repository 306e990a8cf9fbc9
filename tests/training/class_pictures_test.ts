import assert from "node:assert/strict";
import { join } from "node:path";
import { Image } from "../../mod.ts";
import { TrainingError, trainLora } from "../../training/mod.ts";
import { finished, inFolder, pictures } from "./run.ts";

const CONCEPT = { images: pictures("outline"), token: "outline", rank: 1, batch: 2, steps: 1 };

Deno.test("trainLora draws the class pictures that are missing, once", async () => {
  await inFolder(async (folder) => {
    const output = join(folder, "x.safetensors"), drawn = `${output}.class`;

    const classPrompt = "a red three on a white background";
    const options = { ...CONCEPT, output, classPrompt, classCount: 2 };
    const stages = async (more: object) => {
      const said: string[] = [];
      for await (const event of trainLora({ ...options, ...more })) {
        if (event.kind === "stage") said.push(event.name);
      }
      return said.filter((name) => name.startsWith("drawing"));
    };
    assert.deepEqual(await stages({}), [
      "drawing class picture 1 of 2",
      "drawing class picture 2 of 2",
    ]);
    const files = () => [...Deno.readDirSync(drawn)].map(({ name }) => name).sort();
    assert.deepEqual(files(), ["class-0000.png", "class-0001.png"]);
    const [first, second] = await Promise.all(files().map((name) => Image.load(join(drawn, name))));
    assert.notDeepEqual(first!.data, second!.data, "two seeds");
    assert.match(first!.text.parameters!, /a red three on a white background/);

    // One is lost, and drawn again as it was; what is there stays.
    await Deno.remove(join(drawn, "class-0000.png"));
    const other = { output: join(folder, "other"), classImages: drawn };
    assert.deepEqual(await stages(other), ["drawing class picture 2 of 2"]);
    assert.deepEqual((await Image.load(join(drawn, "class-0000.png"))).data, first!.data);
    assert.deepEqual(await stages({ ...other, output: join(folder, "third") }), []);
  });
});

Deno.test("trainLora refuses class pictures without a prompt, before any is drawn", async () => {
  await inFolder(async (folder) => {
    const refused = (change: object, message: RegExp) =>
      assert.rejects(
        () => finished(trainLora({ ...CONCEPT, output: join(folder, "m"), ...change })),
        (error) => error instanceof TrainingError && message.test(error.message),
      );
    await refused({ classCount: 2 }, /no prompt is given for them/);
    await refused({ classCount: 0, classPrompt: "a dog" }, /Cannot draw 0 class pictures/);
    await refused({ classCount: 2, classPrompt: "a dog", batch: 1 }, /batches of 1/);
    assert.deepEqual([...Deno.readDirSync(folder)], []);
  });
});
