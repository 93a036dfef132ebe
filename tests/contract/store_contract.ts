/**
 * The contract of a store: what every implementation of BlobStore and RecordStore does.
 *
 * Registers one Deno.test per property under the implementation's name. A place is where one store keeps its
 * data, so that opening it again sees what was acknowledged before.
 */
import assert from "node:assert/strict";
import { isFault } from "../runtime/store/is_fault.ts";
import { digestOf } from "../../runtime/store/blob_store.ts";
import { InvariantError } from "../../runtime/model/invariant.ts";
import type { InsertConditions, InsertResult, NewFunction } from "../../runtime/store/record_store.ts";
import type { Store } from "../../runtime/store/store.ts";

/** Where a store keeps its data. Disposing it removes them. */
export interface StorePlace extends AsyncDisposable {
  open(): Promise<Store>;
  /** Changes the kept bytes of a digest behind the store's back. */
  damageBlob(digest: string): Promise<void>;
}

/** A function with valid defaults; the digest is that of nothing in particular. */
export function aFunction(changes: Partial<NewFunction> = {}): NewFunction {
  return {
    id: crypto.randomUUID(),
    tenant: "acme",
    name: "resize",
    digest: "0".repeat(64),
    moduleBytes: 8,
    createdUnixMs: 1_700_000_000_000,
    facts: {
      imports: [{ module: "env", name: "ü\u0000", kind: "func", type: { params: ["i32"], results: [] } }],
      exports: [{ name: "main", kind: "func", type: { params: [], results: ["i64"] } }],
      memories: [{ pagesMin: 1, pagesMax: 2, shared: false, is64: false, imported: false }],
      tables: [],
      hasStart: false,
    },
    ...changes,
  };
}

const UNLIMITED: InsertConditions = { functionsCountMax: 1_000_000 };
const BYTES = new TextEncoder().encode("module");

/** Conditions with a key. */
function keyed(key: string, requestDigest = "r1"): InsertConditions {
  return { ...UNLIMITED, idempotency: { key, requestDigest } };
}

/** The record that an insert made. */
function made(result: InsertResult): NewFunction & { readonly version: number } {
  assert.ok(result.type === "inserted" || result.type === "replayed", `insert answered ${result.type}`);
  return result.record;
}

/** Registers the suite for one implementation. */
export function storeContract(implementation: string, makePlace: () => Promise<StorePlace>): void {
  function property(text: string, body: (store: Store, place: StorePlace) => Promise<void>): void {
    Deno.test(`${implementation}: ${text}`, async () => {
      await using place = await makePlace();
      await using store = await place.open();
      await body(store, place);
    });
  }
  blobContract(property);
  versionContract(property);
  findContract(property);
  listContract(property);
  idempotencyContract(property);
  Deno.test(`${implementation}: a store opened again has what was acknowledged`, async () => {
    await using place = await makePlace();
    const entry = aFunction({ digest: await digestOf(BYTES) });
    {
      await using store = await place.open();
      await store.blobs.put(BYTES);
      await store.records.insertFunction(entry, keyed("k"));
    }
    await using store = await place.open();
    assert.deepEqual(store.records.findFunction(entry.id), { ...entry, version: 1 });
    assert.deepEqual(store.records.findIdempotency("acme", "k"), {
      requestDigest: "r1",
      functionId: entry.id,
    });
    assert.deepEqual(await store.blobs.get(entry.digest), BYTES);
  });
}

type Property = (text: string, body: (store: Store, place: StorePlace) => Promise<void>) => void;

function blobContract(property: Property): void {
  property("put() answers the SHA-256 and get() the bytes", async ({ blobs }) => {
    const digest = await blobs.put(BYTES);
    assert.equal(digest, "120970d812836f19888625587a4606a5ad23cef31c8684e601771552548fc6b9");
    assert.deepEqual(await blobs.get(digest), BYTES);
  });
  property("put() takes a view into a larger buffer, and no bytes at all", async ({ blobs }) => {
    const view = new Uint8Array([1, 2, 3, 4, 5]).subarray(1, 3);
    assert.deepEqual(await blobs.get(await blobs.put(view)), new Uint8Array([2, 3]));
    assert.deepEqual(await blobs.get(await blobs.put(new Uint8Array())), new Uint8Array());
  });
  property("put() of the same bytes keeps one copy, at once and in turn", async ({ blobs }) => {
    await Promise.all([blobs.put(BYTES), blobs.put(BYTES), blobs.put(BYTES)]);
    await blobs.put(BYTES);
    assert.deepEqual(await Array.fromAsync(blobs.list()), [await digestOf(BYTES)]);
  });
  property("get(), has() and remove() of an absent blob say so", async ({ blobs }) => {
    const digest = await digestOf(BYTES);
    assert.equal(await blobs.get(digest), undefined);
    assert.equal(await blobs.has(digest), false);
    assert.equal(await blobs.remove(digest), false);
  });
  property("remove() takes the blob away", async ({ blobs }) => {
    const digest = await blobs.put(BYTES);
    assert.equal(await blobs.has(digest), true);
    assert.equal(await blobs.remove(digest), true);
    assert.equal(await blobs.get(digest), undefined);
    assert.deepEqual(await Array.fromAsync(blobs.list()), []);
  });
  property("get() refuses damaged bytes, and put() repairs them", async ({ blobs }, place) => {
    const digest = await blobs.put(BYTES);
    await place.damageBlob(digest);
    await assert.rejects(() => blobs.get(digest), isFault("internal", /is damaged/));
    await blobs.put(BYTES);
    assert.deepEqual(await blobs.get(digest), BYTES);
  });
  property("a blob named by no digest is a bug", async ({ blobs }) => {
    for (const digest of ["", "../../etc/passwd", "A".repeat(64), "a".repeat(63), "a".repeat(65)]) {
      await assert.rejects(() => blobs.get(digest), InvariantError);
      await assert.rejects(() => blobs.has(digest), InvariantError);
      await assert.rejects(() => blobs.remove(digest), InvariantError);
    }
  });
}

function versionContract(property: Property): void {
  property("versions count from 1 in each name of each tenant", async ({ records }) => {
    const versions: number[] = [];
    for (const [tenant, name] of [["a", "x"], ["a", "x"], ["a", "y"], ["b", "x"], ["a", "x"]] as const) {
      versions.push(made(await records.insertFunction(aFunction({ tenant, name }), UNLIMITED)).version);
    }
    assert.deepEqual(versions, [1, 2, 1, 1, 3]);
  });
  property(
    "a version is never given out twice, not even the latest after its removal",
    async ({ records }) => {
      await records.insertFunction(aFunction(), UNLIMITED);
      const second = aFunction();
      await records.insertFunction(second, UNLIMITED);
      await records.removeFunction(second.id);
      assert.equal(made(await records.insertFunction(aFunction(), UNLIMITED)).version, 3);
    },
  );
  property("a version is not reused after all functions of the name are gone", async ({ records }) => {
    const first = aFunction();
    await records.insertFunction(first, UNLIMITED);
    await records.removeFunction(first.id);
    assert.equal(made(await records.insertFunction(aFunction(), UNLIMITED)).version, 2);
  });
  property("concurrent inserts of one name get different versions", async ({ records }) => {
    const results = await Promise.all(
      Array.from({ length: 20 }, () => records.insertFunction(aFunction(), UNLIMITED)),
    );
    assert.deepEqual(
      results.map((result) => made(result).version).sort((a, b) => a - b),
      Array.from({ length: 20 }, (_, index) => index + 1),
    );
  });
  property("an id that is taken is refused and changes nothing", async ({ records }) => {
    const first = aFunction();
    await records.insertFunction(first, UNLIMITED);
    await assert.rejects(
      () => records.insertFunction({ ...first, name: "other" }, keyed("k")),
      isFault("internal"),
    );
    assert.equal(records.countFunctions("acme"), 1);
    assert.equal(records.findIdempotency("acme", "k"), undefined);
    assert.equal(made(await records.insertFunction(aFunction({ name: "other" }), UNLIMITED)).version, 1);
  });
  property("a tenant may have exactly its most functions", async ({ records }) => {
    const conditions = { functionsCountMax: 2 };
    assert.equal((await records.insertFunction(aFunction(), conditions)).type, "inserted");
    const second = aFunction();
    assert.equal((await records.insertFunction(second, conditions)).type, "inserted");
    assert.deepEqual(await records.insertFunction(aFunction(), conditions), {
      type: "tenant_full",
      functionsCount: 2,
    });
    assert.equal((await records.insertFunction(aFunction({ tenant: "other" }), conditions)).type, "inserted");
    await records.removeFunction(second.id);
    assert.equal(made(await records.insertFunction(aFunction(), conditions)).version, 3);
  });
}

function findContract(property: Property): void {
  property("findFunction() gives the record as it was inserted", async ({ records }) => {
    const entry = aFunction({ createdUnixMs: 1_700_000_000_000.25, name: "größe 😀" });
    await records.insertFunction(entry, UNLIMITED);
    assert.deepEqual(records.findFunction(entry.id), { ...entry, version: 1 });
  });
  property("findFunctionByName() gives the highest version, or the one asked for", async ({ records }) => {
    const entries = [aFunction(), aFunction(), aFunction()];
    for (const entry of entries) await records.insertFunction(entry, UNLIMITED);
    assert.equal(records.findFunctionByName("acme", "resize")?.id, entries[2]?.id);
    assert.equal(records.findFunctionByName("acme", "resize", 2)?.id, entries[1]?.id);
    await records.removeFunction(entries[2]?.id ?? "");
    assert.equal(records.findFunctionByName("acme", "resize")?.id, entries[1]?.id);
    assert.equal(records.findFunctionByName("acme", "resize", 3), undefined);
    assert.equal(records.findFunctionByName("acme", "resize", 4), undefined);
  });
  property("names are found within their tenant only", async ({ records }) => {
    await records.insertFunction(aFunction(), UNLIMITED);
    assert.equal(records.findFunctionByName("other", "resize"), undefined);
    assert.equal(records.findFunctionByName("acme", "RESIZE"), undefined);
  });
  property("removeFunction() tells whether there was one", async ({ records }) => {
    const entry = aFunction();
    await records.insertFunction(entry, UNLIMITED);
    assert.equal(await records.removeFunction(entry.id), true);
    assert.equal(await records.removeFunction(entry.id), false);
    assert.equal(records.findFunction(entry.id), undefined);
    assert.equal(records.countFunctions("acme"), 0);
  });
  property(
    "isReferenced() holds as long as any function of any tenant has the bytes",
    async ({ records }) => {
      const digest = "a".repeat(64);
      const [one, two] = [aFunction({ digest }), aFunction({ digest, tenant: "other" })];
      await records.insertFunction(one, UNLIMITED);
      await records.insertFunction(two, UNLIMITED);
      await records.removeFunction(one.id);
      assert.equal(records.isReferenced(digest), true);
      await records.removeFunction(two.id);
      assert.equal(records.isReferenced(digest), false);
    },
  );
}

function listContract(property: Property): void {
  property("listFunctions() orders by creation, then id, and cuts at the count", async ({ records }) => {
    const [a, b, c] = ["a", "b", "c"].map((letter) => letter.repeat(8) + "-0000-4000-8000-000000000000");
    assert.ok(a !== undefined && b !== undefined && c !== undefined);
    for (const [id, createdUnixMs] of [[c, 1], [b, 2], [a, 2]] as const) {
      await records.insertFunction(aFunction({ id, createdUnixMs }), UNLIMITED);
    }
    const ids = (countMax: number): string[] => records.listFunctions("acme", countMax).map(({ id }) => id);
    assert.deepEqual(ids(2), [c, a]);
    assert.deepEqual(ids(3), [c, a, b]);
    assert.deepEqual(ids(4), [c, a, b]);
    assert.deepEqual(records.listFunctions("other", 4), []);
  });
  property("listFunctions() begins after a position, whether its function is there or not", async (store) => {
    const { records } = store;
    const entries = [1, 2, 3].map((createdUnixMs) => aFunction({ createdUnixMs }));
    for (const entry of entries) await records.insertFunction(entry, UNLIMITED);
    const [first, second, third] = entries;
    assert.ok(first !== undefined && second !== undefined && third !== undefined);
    await records.removeFunction(second.id);
    assert.deepEqual(records.listFunctions("acme", 9, second).map(({ id }) => id), [third.id]);
    assert.deepEqual(records.listFunctions("acme", 9, first).map(({ id }) => id), [third.id]);
    assert.deepEqual(records.listFunctions("acme", 9, third), []);
  });
}

function idempotencyContract(property: Property): void {
  property("a known key with the same request replays, and inserts nothing", async ({ records }) => {
    const entry = aFunction();
    await records.insertFunction(entry, keyed("k"));
    const again = await records.insertFunction(aFunction(), keyed("k"));
    assert.deepEqual(again, { type: "replayed", record: { ...entry, version: 1 } });
    assert.equal(records.countFunctions("acme"), 1);
  });
  property("a known key replays even when the tenant is full", async ({ records }) => {
    await records.insertFunction(aFunction(), keyed("k"));
    const again = await records.insertFunction(aFunction(), { ...keyed("k"), functionsCountMax: 1 });
    assert.equal(again.type, "replayed");
  });
  property("a known key with another request is a conflict", async ({ records }) => {
    await records.insertFunction(aFunction(), keyed("k", "r1"));
    assert.deepEqual(await records.insertFunction(aFunction(), keyed("k", "r2")), { type: "key_conflict" });
    assert.equal(records.countFunctions("acme"), 1);
  });
  property("a key is the tenant's own", async ({ records }) => {
    await records.insertFunction(aFunction(), keyed("k"));
    const other = await records.insertFunction(aFunction({ tenant: "other" }), keyed("k", "r2"));
    assert.equal(other.type, "inserted");
  });
  property("a key ends with its function", async ({ records }) => {
    const entry = aFunction();
    await records.insertFunction(entry, keyed("k"));
    await records.removeFunction(entry.id);
    assert.equal(records.findIdempotency("acme", "k"), undefined);
    assert.equal((await records.insertFunction(aFunction(), keyed("k", "r2"))).type, "inserted");
  });
  property("an insert that is refused keeps no key", async ({ records }) => {
    await records.insertFunction(aFunction(), { ...keyed("k"), functionsCountMax: 0 });
    assert.equal(records.findIdempotency("acme", "k"), undefined);
  });
}
