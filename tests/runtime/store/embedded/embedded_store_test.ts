import assert from "node:assert/strict";
import { openEmbeddedStore } from "../../../../runtime/store/embedded/embedded_store.ts";
import { StoreOpenError } from "../../../../runtime/store/store.ts";
import { aFunction, storeContract } from "../../../contract/store_contract.ts";
import { DataFolder } from "./data_folder.ts";

storeContract("EmbeddedStore", () => DataFolder.make());

const UNLIMITED = { functionsCountMax: 100 };

/** True for a start-up error that names what the operator wrote. */
function isOpenError(path: string, message: RegExp): (error: unknown) => boolean {
  return (error) =>
    error instanceof StoreOpenError && error.message.includes(path) && message.test(error.message);
}

Deno.test("openEmbeddedStore() makes folders and files that only the owner may open", async () => {
  await using folder = await DataFolder.make();
  await using store = await folder.open();
  const digest = await store.blobs.put(new Uint8Array([1]));
  await store.records.insertFunction(aFunction({ digest }), UNLIMITED);
  const mode = async (path: string): Promise<string> =>
    (((await Deno.stat(path)).mode ?? 0) & 0o777).toString(8);
  for (const path of ["", "/blobs", "/incoming", `/blobs/${digest.slice(0, 2)}`]) {
    assert.equal(await mode(folder.path + path), "700", path);
  }
  for (const path of ["/lock", "/records.sqlite", "/records.sqlite-wal", "/records.sqlite-shm"]) {
    assert.equal(await mode(folder.path + path), "600", path);
  }
  assert.equal(await mode(folder.blobPath(digest)), "600");
});

Deno.test("openEmbeddedStore() makes missing parents of the folder", async () => {
  await using folder = await DataFolder.make();
  await using _store = await openEmbeddedStore(`${folder.path}/deep/er`);
});

Deno.test("openEmbeddedStore() refuses a folder that a store has, by its name and with the holder", async () => {
  await using folder = await DataFolder.make();
  await using _store = await folder.open();
  await assert.rejects(
    () => folder.open(),
    isOpenError(
      folder.path,
      new RegExp(
        `^Data folder .* is in use by another gateway, process ${Deno.pid}. Stop that one, or start on another folder \\(--data\\)$`,
      ),
    ),
  );
});

Deno.test("openEmbeddedStore() leaves the holder's lock when it refuses", async () => {
  await using folder = await DataFolder.make();
  await using _store = await folder.open();
  await assert.rejects(() => folder.open(), StoreOpenError);
  await assert.rejects(() => folder.open(), StoreOpenError);
});

Deno.test("openEmbeddedStore() opens after the holder was disposed", async () => {
  await using folder = await DataFolder.make();
  await (await folder.open())[Symbol.asyncDispose]();
  await using _store = await folder.open();
});

Deno.test("openEmbeddedStore() gives the lock back when it fails", async () => {
  await using folder = await DataFolder.make();
  await Deno.mkdir(`${folder.path}/records.sqlite`, { recursive: true });
  await assert.rejects(
    () => folder.open(),
    isOpenError(folder.path, /cannot be opened: a folder is where a file should be$/),
  );
  await Deno.remove(`${folder.path}/records.sqlite`);
  await using _store = await folder.open();
});

Deno.test("openEmbeddedStore() removes half-written files and says how many", async () => {
  await using folder = await DataFolder.make();
  await (await folder.open())[Symbol.asyncDispose]();
  await Deno.writeTextFile(`${folder.path}/incoming/1`, "half");
  await Deno.writeTextFile(`${folder.path}/incoming/7`, "");
  await using store = await folder.open();
  assert.deepEqual(store.recovery, { temporaryFilesCount: 2, blobsCount: 0 });
  assert.deepEqual(await folder.incoming(), []);
});

Deno.test("openEmbeddedStore() removes blobs without a record and keeps those with one", async () => {
  await using folder = await DataFolder.make();
  let kept = "";
  {
    await using store = await folder.open();
    kept = await store.blobs.put(new Uint8Array([1]));
    await store.records.insertFunction(aFunction({ digest: kept }), UNLIMITED);
    await store.blobs.put(new Uint8Array([2]));
    await store.blobs.put(new Uint8Array([3]));
  }
  await using store = await folder.open();
  assert.deepEqual(store.recovery, { temporaryFilesCount: 0, blobsCount: 2 });
  assert.deepEqual(await Array.fromAsync(store.blobs.list()), [kept]);
});

Deno.test("openEmbeddedStore() keeps a blob that is younger than its lock", async () => {
  await using folder = await DataFolder.make();
  let digest = "";
  {
    await using store = await folder.open();
    digest = await store.blobs.put(new Uint8Array([1]));
  }
  const later = new Date(Date.now() + 3_600_000);
  await Deno.utime(folder.blobPath(digest), later, later);
  await using store = await folder.open();
  assert.equal(store.recovery.blobsCount, 0);
  assert.equal(await store.blobs.has(digest), true);
});

Deno.test("openEmbeddedStore() leaves foreign files among the blobs alone", async () => {
  await using folder = await DataFolder.make();
  await (await folder.open())[Symbol.asyncDispose]();
  await Deno.mkdir(`${folder.path}/blobs/ab`);
  for (const name of ["README", "zz", `ab/${"cd".repeat(32)}`, "ab/short"]) {
    await Deno.writeTextFile(`${folder.path}/blobs/${name}`, "foreign");
  }
  await using store = await folder.open();
  assert.equal(store.recovery.blobsCount, 0);
  assert.deepEqual(await Array.fromAsync(store.blobs.list()), []);
});

Deno.test("openEmbeddedStore() refuses a file in the folder's place", async () => {
  await using folder = await DataFolder.make();
  await Deno.writeTextFile(folder.path, "");
  await assert.rejects(
    () => folder.open(),
    isOpenError(folder.path, /^Data folder .* cannot be opened: a (file is|part of the path is)/),
  );
});

Deno.test("openEmbeddedStore() refuses a database file that is none", async () => {
  await using folder = await DataFolder.make();
  await Deno.mkdir(folder.path);
  await Deno.writeTextFile(`${folder.path}/records.sqlite`, "This is no database. ".repeat(500));
  await assert.rejects(
    () => folder.open(),
    isOpenError(
      folder.path,
      /records\.sqlite cannot be opened: the file is not a database\. Keep the folder as it is and restore/,
    ),
  );
});

Deno.test("openEmbeddedStore() refuses a database with a damaged page", async () => {
  await using folder = await DataFolder.make();
  {
    await using store = await folder.open();
    for (let count = 0; count < 50; count += 1) {
      await store.records.insertFunction(aFunction(), UNLIMITED);
    }
  }
  const path = `${folder.path}/records.sqlite`;
  const bytes = await Deno.readFile(path);
  // Pages of 4096 bytes; the first has the schema, the last ones rows and indexes.
  bytes.fill(0xff, 4096 * 2, bytes.length);
  await Deno.writeFile(path, bytes);
  await assert.rejects(
    () => folder.open(),
    isOpenError(folder.path, /records\.sqlite is damaged: .*\. Keep the folder as it is/),
  );
});
