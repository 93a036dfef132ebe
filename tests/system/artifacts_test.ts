/**
 * Instrumented modules outlive the gateway: a restart serves without a workshop, and makes anew what is damaged.
 */
import assert from "node:assert/strict";
import { TestGateway } from "../support/gateway.ts";

function workshopCells(gateway: TestGateway): number {
  return gateway.lines.filter((line) => line.message === "cell.started" && line["pool"] === "workshop")
    .length;
}

async function assertAdds(gateway: TestGateway): Promise<void> {
  const response = await gateway.invoke("add", { export: "add", args: [20, 22] });
  assert.deepEqual((await response.json()).result, [42]);
}

async function artifactPaths(dataFolder: string): Promise<string[]> {
  const paths: string[] = [];
  for await (const generation of Deno.readDir(`${dataFolder}/artifacts`)) {
    for await (const { name } of Deno.readDir(`${dataFolder}/artifacts/${generation.name}`)) {
      paths.push(`${dataFolder}/artifacts/${generation.name}/${name}`);
    }
  }
  return paths;
}

Deno.test("a restarted gateway calls a module without having it instrumented again", async () => {
  const dataFolder = await Deno.makeTempDir({ prefix: "tensor-wasm-test-" });
  try {
    {
      await using gateway = await TestGateway.start({ dataFolder });
      await gateway.deploy("add");
      await assertAdds(gateway);
      await gateway.line((line) => line.message === "cell.started" && line["pool"] === "workshop");
    }
    {
      await using gateway = await TestGateway.start({ dataFolder });
      await assertAdds(gateway);
      // Lines come in order: behind this one there is none of a cell that was needed for the call.
      await gateway.line((line) => line.message === "request.completed");
      assert.equal(workshopCells(gateway), 0);
    }
    const [path] = await artifactPaths(dataFolder);
    assert.ok(path !== undefined);
    await Deno.writeFile(path, (await Deno.readFile(path)).with(-1, 0xff));
    {
      await using gateway = await TestGateway.start({ dataFolder });
      await assertAdds(gateway);
      await gateway.line((line) => line.message === "cell.started" && line["pool"] === "workshop");
    }
  } finally {
    await Deno.remove(dataFolder, { recursive: true });
  }
});
