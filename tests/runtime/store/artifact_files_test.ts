import assert from "node:assert/strict";
import { ArtifactFiles } from "../../../runtime/store/embedded/artifact_files.ts";

const CHECKSUM_BYTES = 32;

async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "tensor-wasm-test-" });
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function bytes(length: number, value: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(length).fill(value);
}

async function fileNames(folder: string, generation: string): Promise<string[]> {
  const entries = await Array.fromAsync(Deno.readDir(`${folder}/artifacts/${generation}`));
  return entries.map(({ name }) => name);
}

Deno.test("what was written is read back, also by the next process", () =>
  withFolder(async (folder) => {
    const first = await ArtifactFiles.open(folder, "g1", 1000);
    assert.equal(await first.read("key ../ with anything\0"), undefined);
    await first.write("key ../ with anything\0", bytes(10, 7));
    assert.deepEqual(await first.read("key ../ with anything\0"), bytes(10, 7));
    const second = await ArtifactFiles.open(folder, "g1", 1000);
    assert.deepEqual(await second.read("key ../ with anything\0"), bytes(10, 7));
    assert.equal(second.bytes, 10 + CHECKSUM_BYTES);
  }));

Deno.test("another generation reads nothing of it and removes it", () =>
  withFolder(async (folder) => {
    await (await ArtifactFiles.open(folder, "g1", 1000)).write("key", bytes(10, 7));
    const next = await ArtifactFiles.open(folder, "g2", 1000);
    assert.equal(await next.read("key"), undefined);
    assert.deepEqual((await Array.fromAsync(Deno.readDir(`${folder}/artifacts`))).map(({ name }) => name), [
      "g2",
    ]);
  }));

for (
  const [what, damage] of [
    ["a changed byte", (file: Uint8Array) => file.with(CHECKSUM_BYTES + 3, 0)],
    ["a changed checksum", (file: Uint8Array) => file.with(0, (file[0] ?? 0) ^ 1)],
    ["a missing end", (file: Uint8Array) => file.subarray(0, -1)],
    ["less than a checksum", (file: Uint8Array) => file.subarray(0, CHECKSUM_BYTES - 1)],
    ["nothing", () => new Uint8Array(0)],
  ] as const
) {
  Deno.test(`a file with ${what} is as one that never was`, () =>
    withFolder(async (folder) => {
      const files = await ArtifactFiles.open(folder, "g", 1000);
      await files.write("key", bytes(10, 7));
      const [name] = await fileNames(folder, "g");
      const path = `${folder}/artifacts/g/${name}`;
      await Deno.writeFile(path, damage(await Deno.readFile(path)));
      assert.equal(await files.read("key"), undefined);
      assert.deepEqual(await fileNames(folder, "g"), []);
      assert.equal(files.bytes, 0);
      await files.write("key", bytes(10, 8));
      assert.deepEqual(await files.read("key"), bytes(10, 8));
    }));
}

Deno.test("over the bound the least recently used go, on both sides of it", () =>
  withFolder(async (folder) => {
    const files = await ArtifactFiles.open(folder, "g", 2 * (100 + CHECKSUM_BYTES));
    await files.write("first", bytes(100, 1));
    await files.write("second", bytes(100, 2));
    assert.deepEqual(await files.read("first"), bytes(100, 1));
    await files.write("third", bytes(1, 3));
    assert.equal(await files.read("second"), undefined);
    assert.deepEqual(await files.read("first"), bytes(100, 1));
    assert.deepEqual(await files.read("third"), bytes(1, 3));
    await files.write("huge", bytes(2 * (100 + CHECKSUM_BYTES), 4));
    assert.equal(await files.read("huge"), undefined);
    assert.deepEqual(await files.read("first"), bytes(100, 1));
  }));

Deno.test("a smaller bound at the next start holds at once, and half-written files go", () =>
  withFolder(async (folder) => {
    const files = await ArtifactFiles.open(folder, "g", 1000);
    await files.write("first", bytes(100, 1));
    await files.write("second", bytes(100, 2));
    await Deno.writeFile(`${folder}/artifacts/g/incoming-0`, bytes(50, 9));
    const next = await ArtifactFiles.open(folder, "g", 100 + CHECKSUM_BYTES);
    assert.equal(next.bytes, 100 + CHECKSUM_BYTES);
    assert.equal((await fileNames(folder, "g")).length, 1);
  }));

Deno.test("a folder that vanishes harms nobody", () =>
  withFolder(async (folder) => {
    const files = await ArtifactFiles.open(folder, "g", 1000);
    await files.write("key", bytes(10, 7));
    await Deno.remove(`${folder}/artifacts`, { recursive: true });
    assert.equal(await files.read("key"), undefined);
    await files.write("key", bytes(10, 7));
    assert.equal(await files.read("key"), undefined);
  }));
