import assert from "node:assert/strict";
import { ModuleCache } from "../../../runtime/registry/module_cache.ts";
import type { BlobStore } from "../../../runtime/store/blob_store.ts";

/** Blobs by name, of a length each, that count how often they are read. */
function countingBlobs(lengths: Readonly<Record<string, number>>): { blobs: BlobStore; reads: string[] } {
  const reads: string[] = [];
  const blobs: Pick<BlobStore, "get"> = {
    async get(digest): Promise<Uint8Array<ArrayBuffer> | undefined> {
      reads.push(digest);
      await Promise.resolve();
      const length = lengths[digest];
      return length === undefined ? undefined : new Uint8Array(length);
    },
  };
  return { blobs: blobs as BlobStore, reads };
}

Deno.test("ModuleCache.findModule() reads once for all who ask at the same time, and later", async () => {
  const { blobs, reads } = countingBlobs({ a: 10 });
  const cache = new ModuleCache(blobs, 100);
  const [one, two] = await Promise.all([cache.findModule("a"), cache.findModule("a")]);
  assert.equal(one, two);
  assert.equal(await cache.findModule("a"), one);
  assert.deepEqual(reads, ["a"]);
});

Deno.test("ModuleCache keeps exactly its bytes and forgets the oldest one over", async () => {
  const { blobs, reads } = countingBlobs({ a: 60, b: 40, c: 1 });
  const cache = new ModuleCache(blobs, 100);
  await cache.findModule("a");
  await cache.findModule("b");
  assert.equal(cache.bytes, 100);
  await cache.findModule("c");
  assert.equal(cache.bytes, 41);
  await cache.findModule("b");
  await cache.findModule("a");
  assert.deepEqual(reads, ["a", "b", "c", "a"]);
});

Deno.test("ModuleCache keeps a module of exactly its bytes, and hands one over out without keeping it", async () => {
  const { blobs } = countingBlobs({ a: 100, b: 101 });
  const cache = new ModuleCache(blobs, 100);
  await cache.findModule("a");
  assert.equal((await cache.findModule("b"))?.length, 101);
  assert.equal(cache.bytes, 100);
});

Deno.test("ModuleCache.findModule() remembers no absence", async () => {
  const { blobs, reads } = countingBlobs({});
  const cache = new ModuleCache(blobs, 100);
  assert.equal(await cache.findModule("a"), undefined);
  assert.equal(await cache.findModule("a"), undefined);
  assert.deepEqual(reads, ["a", "a"]);
});

Deno.test("ModuleCache.findModule() fails for all who wait, and reads again for the next", async () => {
  let failing = true;
  const { blobs, reads } = countingBlobs({ a: 10 });
  const cache = new ModuleCache({
    ...blobs,
    get: (digest) => failing ? Promise.reject(new Error("disk")) : blobs.get(digest),
  }, 100);
  const both = [cache.findModule("a"), cache.findModule("a")];
  for (const one of both) await assert.rejects(one, /disk/);
  failing = false;
  assert.equal((await cache.findModule("a"))?.length, 10);
  assert.deepEqual(reads, ["a"]);
});
