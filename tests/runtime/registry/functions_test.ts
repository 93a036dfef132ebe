import assert from "node:assert/strict";
import { fault } from "../../../runtime/model/fault.ts";
import type { FunctionRecord } from "../../../runtime/model/function_record.ts";
import { isFault } from "../store/is_fault.ts";
import { aDeploy, aModule, RegistryPlace, withMethods } from "./registry_place.ts";

const NAME = { type: "name", name: "resize" } as const;

async function deploy(
  place: RegistryPlace,
  changes: Parameters<typeof aDeploy>[0] = {},
): Promise<FunctionRecord> {
  return (await place.registry.deploy(aDeploy(changes))).record;
}

Deno.test("get() finds a function by id, name and version", async () => {
  await using place = await RegistryPlace.make();
  const [first, second] = [await deploy(place), await deploy(place)];
  for (const _cached of [false, true]) {
    assert.deepEqual(place.registry.get({ type: "id", id: first.id }, "acme"), first);
    assert.deepEqual(place.registry.get(NAME, "acme"), second);
    assert.deepEqual(place.registry.get({ ...NAME, version: 1 }, "acme"), first);
  }
});

Deno.test("get() reads the store once for a function that is asked for again", async () => {
  let reads = 0;
  await using place = await RegistryPlace.make({
    wrap: (store) =>
      withMethods(store, {
        records: {
          findFunctionByName: (...name) => {
            reads += 1;
            return store.records.findFunctionByName(...name);
          },
        },
      }),
  });
  await deploy(place);
  for (const _round of [1, 2, 3]) place.registry.get(NAME, "acme");
  assert.equal(reads, 1);
});

Deno.test("get() of a name sees a new version at once", async () => {
  await using place = await RegistryPlace.make();
  await deploy(place);
  assert.equal(place.registry.get(NAME, "acme").version, 1);
  await deploy(place);
  assert.equal(place.registry.get(NAME, "acme").version, 2);
});

Deno.test("get() refuses another tenant's id and does not see its names", async () => {
  await using place = await RegistryPlace.make();
  const { id } = await deploy(place);
  for (const _cached of [false, true]) {
    assert.throws(
      () => place.registry.get({ type: "id", id }, "other"),
      isFault("tenant_scope_denied", new RegExp(`^Function ${id} belongs to another tenant$`)),
    );
    assert.throws(() => place.registry.get(NAME, "other"), isFault("not_found"));
  }
});

Deno.test("get() of what is not there repeats the reference", async () => {
  await using place = await RegistryPlace.make();
  const id = crypto.randomUUID();
  const cases = [
    [{ type: "id", id }, `No function ${id}`],
    [NAME, "No function resize"],
    [{ ...NAME, version: 3 }, "No function resize@3"],
    [{ type: "name", name: "\ud800" }, "No function \ufffd"],
    [{ type: "name", name: "n".repeat(256) }, `No function ${"n".repeat(256)}`],
    [{ type: "name", name: "n".repeat(257) }, `No function ${"n".repeat(256)}…`],
  ] as const;
  for (const [ref, message] of cases) {
    assert.throws(
      () => place.registry.get(ref, "acme"),
      (error: unknown) => isFault("not_found")(error) && error instanceof Error && error.message === message,
    );
  }
});

Deno.test("remove() takes the function away for every way to name it", async () => {
  await using place = await RegistryPlace.make();
  const record = await deploy(place);
  const refs = [{ type: "id", id: record.id }, NAME, { ...NAME, version: 1 }] as const;
  for (const ref of refs) place.registry.get(ref, "acme");
  assert.deepEqual(await place.registry.remove(NAME, "acme"), { record, blob: "removed" });
  for (const ref of refs) assert.throws(() => place.registry.get(ref, "acme"), isFault("not_found"));
});

Deno.test("remove() of the latest version makes the one before it the latest", async () => {
  await using place = await RegistryPlace.make();
  await deploy(place, { bytes: aModule(1) });
  await deploy(place, { bytes: aModule(2) });
  assert.equal(place.registry.get(NAME, "acme").version, 2);
  await place.registry.remove(NAME, "acme");
  assert.equal(place.registry.get(NAME, "acme").version, 1);
  assert.equal((await deploy(place)).version, 3);
});

Deno.test("remove() keeps the bytes until their last function goes", async () => {
  await using place = await RegistryPlace.make();
  const mine = await deploy(place);
  const other = await deploy(place, { tenant: "other" });
  assert.equal((await place.registry.remove({ type: "id", id: mine.id }, "acme")).blob, "kept");
  assert.deepEqual(await place.registry.moduleBytes(other.digest), aModule(0));
  assert.equal((await place.registry.remove({ type: "id", id: other.id }, "other")).blob, "removed");
  assert.deepEqual(await Array.fromAsync(place.store.blobs.list()), []);
});

Deno.test("remove() by two at once succeeds for one", async () => {
  await using place = await RegistryPlace.make();
  const { id } = await deploy(place);
  const ref = { type: "id", id } as const;
  const results = await Promise.allSettled([
    place.registry.remove(ref, "acme"),
    place.registry.remove(ref, "acme"),
  ]);
  const [refused] = results.filter((result) => result.status === "rejected");
  assert.ok(isFault("not_found")(refused?.reason));
  assert.equal(results.filter(({ status }) => status === "fulfilled").length, 1);
});

Deno.test("remove() refuses another tenant's function and leaves it", async () => {
  await using place = await RegistryPlace.make();
  const { id } = await deploy(place);
  const ref = { type: "id", id } as const;
  await assert.rejects(() => place.registry.remove(ref, "other"), isFault("tenant_scope_denied"));
  assert.equal(place.registry.get(ref, "acme").id, id);
});

Deno.test("remove() succeeds when only the blob cannot be removed, and opening the store removes it", async () => {
  await using place = await RegistryPlace.make({
    wrap: (store) =>
      withMethods(store, {
        blobs: { remove: () => Promise.reject(fault("internal", "Module could not be removed")) },
      }),
  });
  const { digest } = await deploy(place);
  assert.equal((await place.registry.remove(NAME, "acme")).blob, "left");
  assert.throws(() => place.registry.get(NAME, "acme"), isFault("not_found"));
  assert.equal(await place.store.blobs.has(digest), true);
  await place.store[Symbol.asyncDispose]();
  await using again = await place.folder.open();
  assert.equal(again.recovery.blobsCount, 1);
});

Deno.test("moduleBytes() gives the deployed bytes, the same array to all", async () => {
  await using place = await RegistryPlace.make();
  const { digest } = await deploy(place);
  const [one, two] = await Promise.all([
    place.registry.moduleBytes(digest),
    place.registry.moduleBytes(digest),
  ]);
  assert.deepEqual(one, aModule(0));
  assert.equal(one, two);
});

Deno.test("moduleBytes() of bytes without a function is not found, of a lost blob internal", async () => {
  await using place = await RegistryPlace.make();
  await assert.rejects(() => place.registry.moduleBytes("a".repeat(64)), isFault("not_found"));
  const { digest } = await deploy(place);
  await Deno.remove(place.folder.blobPath(digest));
  await assert.rejects(() => place.registry.moduleBytes(digest), isFault("internal", /is missing$/));
});

Deno.test("moduleBytes() refuses damaged bytes", async () => {
  await using place = await RegistryPlace.make();
  const { digest } = await deploy(place);
  await place.folder.damageBlob(digest);
  await assert.rejects(() => place.registry.moduleBytes(digest), isFault("internal", /is damaged/));
});

Deno.test("list() pages through all functions of the tenant in order of creation", async () => {
  await using place = await RegistryPlace.make();
  const deployed: string[] = [];
  for (let number = 0; number < 5; number += 1) {
    deployed.push((await deploy(place, { name: `f${number}` })).id);
    place.clock.advance(0.5 + number);
  }
  await deploy(place, { tenant: "other" });
  const pages: string[][] = [];
  let cursor: string | undefined;
  do {
    const page = place.registry.list("acme", { limit: 2, ...(cursor === undefined ? {} : { cursor }) });
    pages.push(page.functions.map(({ id }) => id));
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  assert.deepEqual(pages.map(({ length }) => length), [2, 2, 1]);
  // The first two were made within one millisecond, so their ids decide.
  assert.deepEqual(pages.flat(), [...deployed.slice(0, 2).sort(), ...deployed.slice(2)]);
});

Deno.test("list() has no next cursor when the last page is exactly full", async () => {
  await using place = await RegistryPlace.make();
  await deploy(place);
  await deploy(place);
  assert.equal(place.registry.list("acme", { limit: 2 }).nextCursor, undefined);
  assert.notEqual(place.registry.list("acme", { limit: 1 }).nextCursor, undefined);
  assert.deepEqual(place.registry.list("other"), { functions: [] });
});

Deno.test("list() goes on from a cursor whose function was removed", async () => {
  await using place = await RegistryPlace.make();
  const first = await deploy(place);
  place.clock.advance(1);
  const second = await deploy(place);
  const { nextCursor } = place.registry.list("acme", { limit: 1 });
  await place.registry.remove({ type: "id", id: first.id }, "acme");
  assert.ok(nextCursor !== undefined);
  assert.deepEqual(place.registry.list("acme", { cursor: nextCursor }).functions.map(({ id }) => id), [
    second.id,
  ]);
});

Deno.test("list() refuses a bad limit or cursor", async () => {
  await using place = await RegistryPlace.make();
  assert.throws(() => place.registry.list("acme", { limit: 1001 }), isFault("bad_request"));
  assert.throws(() => place.registry.list("acme", { cursor: "x" }), isFault("bad_request"));
});

Deno.test("disposal waits for a deploy under way and refuses what comes after", async () => {
  await using place = await RegistryPlace.make();
  const underWay = place.registry.deploy(aDeploy());
  await place.registry[Symbol.asyncDispose]();
  assert.equal(place.store.records.countFunctions("acme"), 1);
  await assert.rejects(() => place.registry.deploy(aDeploy()), isFault("capacity_exhausted"));
  await assert.rejects(() => place.registry.remove(NAME, "acme"), isFault("capacity_exhausted"));
  await underWay;
});
