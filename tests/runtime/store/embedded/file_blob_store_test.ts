import assert from "node:assert/strict";
import { digestOf } from "../../../../runtime/store/blob_store.ts";
import { FileBlobStore } from "../../../../runtime/store/embedded/file_blob_store.ts";
import { isFault } from "../is_fault.ts";
import { DataFolder } from "./data_folder.ts";

const BYTES = new Uint8Array([0, 0x61, 0x73, 0x6d]);

Deno.test("FileBlobStore.put() names the file by its digest under its first two digits", async () => {
  await using folder = await DataFolder.make();
  const blobs = await FileBlobStore.open(folder.path);
  const digest = await blobs.put(BYTES);
  assert.deepEqual(await Deno.readFile(`${folder.path}/blobs/${digest.slice(0, 2)}/${digest}`), BYTES);
  assert.deepEqual(await folder.incoming(), []);
});

Deno.test("FileBlobStore.put() of stored bytes writes no file", async () => {
  await using folder = await DataFolder.make();
  const blobs = await FileBlobStore.open(folder.path);
  const digest = await blobs.put(BYTES);
  const before = await Deno.stat(folder.blobPath(digest));
  await blobs.put(BYTES);
  assert.equal((await Deno.stat(folder.blobPath(digest))).ino, before.ino);
});

Deno.test("FileBlobStore.put() that cannot rename leaves no file behind and names no path", async () => {
  await using folder = await DataFolder.make();
  const blobs = await FileBlobStore.open(folder.path);
  const digest = await digestOf(BYTES);
  // A folder that is not empty in the blob's place makes reading or renaming fail, for root as well.
  await Deno.mkdir(`${folder.blobPath(digest)}/occupied`, { recursive: true });
  await assert.rejects(() => blobs.put(BYTES), isFault("internal", /^Module could not be stored: /));
  assert.deepEqual(await folder.incoming(), []);
});

Deno.test("FileBlobStore.put() that cannot write names no path", async () => {
  await using folder = await DataFolder.make();
  const blobs = await FileBlobStore.open(folder.path);
  await Deno.remove(`${folder.path}/incoming`);
  await assert.rejects(
    () => blobs.put(BYTES),
    isFault("internal", /^Module could not be stored: a file or folder is missing$/),
  );
});

Deno.test("FileBlobStore.get() refuses a file that is cut or grown", async () => {
  await using folder = await DataFolder.make();
  const blobs = await FileBlobStore.open(folder.path);
  const digest = await blobs.put(BYTES);
  for (const length of [0, BYTES.length - 1, BYTES.length + 1]) {
    await Deno.truncate(folder.blobPath(digest), length);
    await assert.rejects(() => blobs.get(digest), isFault("internal", /is damaged/), `${length} bytes`);
  }
});

Deno.test("FileBlobStore.clearIncoming() removes whatever is there", async () => {
  await using folder = await DataFolder.make();
  const blobs = await FileBlobStore.open(folder.path);
  await Deno.writeFile(`${folder.path}/incoming/1`, BYTES);
  await Deno.mkdir(`${folder.path}/incoming/odd/er`, { recursive: true });
  assert.equal(await blobs.clearIncoming(), 2);
  assert.deepEqual(await folder.incoming(), []);
});
