import assert from "node:assert/strict";
import { TraceFiles } from "../../../runtime/store/embedded/trace_files.ts";

const HEAD = new Uint8Array(100).fill(1);

async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "tensor-wasm-test-" });
  try {
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function readAll(files: TraceFiles): Promise<Uint8Array[]> {
  const found: Uint8Array[] = [];
  for await (const file of files.read()) {
    assert.ok(!(file instanceof Error));
    found.push(file);
  }
  return found;
}

Deno.test("TraceFiles: files are read in the order in which they were written, each with its head", async () => {
  await withFolder(async (folder) => {
    await using files = await TraceFiles.open(folder, 8 * 64 * 1024);
    for (let count = 0; count < 10; count++) {
      await files.append(new Uint8Array(30_000).fill(count), () => HEAD);
    }
    await using again = await TraceFiles.open(folder, 8 * 64 * 1024);
    const found = await readAll(again);
    assert.equal(found.length, 4);
    for (const file of found) assert.deepEqual(file.subarray(0, 100), HEAD);
    assert.deepEqual(found.map((file) => file[100]), [0, 3, 6, 9]);
    // What comes next goes to a file of its own: the last one may end within a frame.
    await again.append(new Uint8Array(1), () => HEAD);
    assert.equal((await readAll(again)).length, 5);
  });
});

Deno.test("TraceFiles: together they stay within their bytes and one file; the oldest go", async () => {
  await withFolder(async (folder) => {
    const bytesMax = 8 * 64 * 1024;
    await using files = await TraceFiles.open(folder, bytesMax);
    for (let count = 0; count < 100; count++) {
      await files.append(new Uint8Array(20_000).fill(count), () => HEAD);
      let bytes = 0;
      for await (const { name } of Deno.readDir(`${folder}/traces`)) {
        bytes += (await Deno.stat(`${folder}/traces/${name}`)).size;
      }
      assert.ok(bytes <= bytesMax, `${bytes} bytes`);
    }
    assert.equal((await readAll(files)).at(-1)?.at(-1), 99);
  });
});

Deno.test("TraceFiles: foreign files are left alone, and one that cannot be read is an error of its own", async () => {
  await withFolder(async (folder) => {
    await using files = await TraceFiles.open(folder, 1024 * 1024);
    await Deno.writeTextFile(`${folder}/traces/README`, "mine");
    await files.append(new Uint8Array(10), () => HEAD);
    files.endFile();
    await files.append(new Uint8Array(10), () => HEAD);
    await Deno.remove(`${folder}/traces/000000000001.traces`);
    const found: boolean[] = [];
    for await (const file of files.read()) found.push(file instanceof Error);
    assert.deepEqual(found, [true, false]);
    assert.equal(await Deno.readTextFile(`${folder}/traces/README`), "mine");
  });
});

Deno.test("TraceFiles: what was appended is synced before a file is let go", async () => {
  await withFolder(async (folder) => {
    const { syncData } = Deno.FsFile.prototype;
    const synced: number[] = [];
    Deno.FsFile.prototype.syncData = async function (): Promise<void> {
      synced.push((await this.stat()).size);
      await syncData.call(this);
    };
    try {
      {
        await using files = await TraceFiles.open(folder, 1024 * 1024);
        await files.append(new Uint8Array(10), () => HEAD);
        files.endFile();
        await files.append(new Uint8Array(20), () => HEAD);
      }
      assert.deepEqual(synced, [110, 120]);
    } finally {
      Deno.FsFile.prototype.syncData = syncData;
    }
  });
});

Deno.test("TraceFiles: links, folders and files of another size are neither read nor written to", async () => {
  await withFolder(async (folder) => {
    const bytesMax = 1024 * 1024;
    const elsewhere = `${folder}/elsewhere`;
    await Deno.writeTextFile(elsewhere, "of somebody else");
    await (await TraceFiles.open(folder, bytesMax))[Symbol.asyncDispose]();
    const traces = `${folder}/traces`;
    await Deno.symlink(elsewhere, `${traces}/000000000001.traces`);
    await Deno.mkdir(`${traces}/000000000002.traces`);
    await Deno.symlink(`${folder}/nothing`, `${traces}/000000000004.traces`);
    await Deno.create(`${traces}/000000000003.traces`).then((file) => file.close());
    await Deno.truncate(`${traces}/000000000003.traces`, bytesMax * 1000);
    await using files = await TraceFiles.open(folder, bytesMax);
    const found = await Array.fromAsync(files.read());
    assert.deepEqual(found.map((file) => file instanceof Error), [true]);
    await assert.rejects(files.append(new Uint8Array(1), () => HEAD), "the name of the next file is taken");
    files.endFile();
    await files.append(new Uint8Array(1), () => HEAD);
    assert.equal(await Deno.readTextFile(elsewhere), "of somebody else");
    assert.equal((await Deno.stat(`${traces}/000000000005.traces`)).size, 101);
    await assert.rejects(Deno.stat(`${folder}/nothing`));
  });
});

Deno.test("TraceFiles: a gateway that starts over and over leaves a bounded number of files", async () => {
  await withFolder(async (folder) => {
    for (let start = 0; start < 100; start++) {
      await using files = await TraceFiles.open(folder, 1024 * 1024);
      await files.append(new Uint8Array([start]), () => HEAD);
    }
    await using files = await TraceFiles.open(folder, 1024 * 1024);
    const found = await readAll(files);
    assert.equal(found.length, 64);
    assert.equal(found.at(-1)?.at(-1), 99);
  });
});
