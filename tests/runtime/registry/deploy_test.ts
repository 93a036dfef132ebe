import assert from "node:assert/strict";
import { fault } from "../../../runtime/model/fault.ts";
import type { FunctionRegistry } from "../../../runtime/registry/functions.ts";
import { digestOf } from "../../../runtime/store/blob_store.ts";
import { isFault } from "../store/is_fault.ts";
import { aDeploy, aModule, RegistryPlace, withMethods } from "./registry_place.ts";

Deno.test("deploy() makes the record and stores the bytes", async () => {
  await using place = await RegistryPlace.make({ registry: { newId: () => "the-id" } });
  const request = aDeploy();
  const { record, replayed } = await place.registry.deploy(request);
  assert.deepEqual(record, {
    id: "the-id",
    tenant: "acme",
    name: "resize",
    version: 1,
    digest: await digestOf(request.bytes),
    moduleBytes: 8,
    createdUnixMs: place.clock.nowMs(),
    facts: request.facts,
  });
  assert.equal(replayed, false);
  assert.deepEqual(await place.store.blobs.get(record.digest), request.bytes);
});

Deno.test("deploy() of a name again makes the next version, with another id", async () => {
  await using place = await RegistryPlace.make();
  const first = (await place.registry.deploy(aDeploy())).record;
  const second = (await place.registry.deploy(aDeploy())).record;
  assert.deepEqual([first.version, second.version], [1, 2]);
  assert.notEqual(first.id, second.id);
});

Deno.test("deploy() of the same bytes stores them once", async () => {
  await using place = await RegistryPlace.make();
  await Promise.all([1, 2, 3].map((number) => place.registry.deploy(aDeploy({ name: `f${number}` }))));
  assert.equal((await Array.fromAsync(place.store.blobs.list())).length, 1);
});

Deno.test("deploy() refuses a bad name before anything is stored", async () => {
  await using place = await RegistryPlace.make();
  for (const name of ["", " ", "a@1", "\u0000", "x".repeat(257)]) {
    await assert.rejects(() => place.registry.deploy(aDeploy({ name })), isFault("invalid_name"));
  }
  assert.deepEqual(await Array.fromAsync(place.store.blobs.list()), []);
});

Deno.test("deploy() takes a module of exactly the limit and refuses one byte more", async () => {
  await using place = await RegistryPlace.make({ limits: { moduleBytesMax: 8 } });
  await place.registry.deploy(aDeploy({ bytes: new Uint8Array(8) }));
  await assert.rejects(
    () => place.registry.deploy(aDeploy({ bytes: new Uint8Array(9) })),
    isFault("module_too_large", /^Module is too large: moduleBytesMax is 8, got 9$/),
  );
});

Deno.test("deploy() takes exactly the tenant's most functions, and leaves no blob of one more", async () => {
  await using place = await RegistryPlace.make({ limits: { functionsPerTenantMax: 2 } });
  const { registry } = place;
  await registry.deploy(aDeploy({ bytes: aModule(1) }));
  await registry.deploy(aDeploy({ bytes: aModule(2) }));
  await assert.rejects(
    () => registry.deploy(aDeploy({ bytes: aModule(3) })),
    isFault(
      "tenant_capacity_exhausted",
      /^Tenant has too many functions: functionsPerTenantMax is 2, got 3$/,
    ),
  );
  assert.equal((await Array.fromAsync(place.store.blobs.list())).length, 2);
  await registry.deploy(aDeploy({ tenant: "other", bytes: aModule(3) }));
});

Deno.test("deploy() keeps to the tenant's most functions when many come at once", async () => {
  await using place = await RegistryPlace.make({ limits: { functionsPerTenantMax: 3 } });
  const results = await Promise.allSettled(
    Array.from({ length: 8 }, (_, number) => place.registry.deploy(aDeploy({ bytes: aModule(number) }))),
  );
  assert.equal(results.filter(({ status }) => status === "fulfilled").length, 3);
  for (const result of results) {
    if (result.status === "rejected") assert.ok(isFault("tenant_capacity_exhausted")(result.reason));
  }
  assert.equal((await Array.fromAsync(place.store.blobs.list())).length, 3);
});

Deno.test("deploy() with the same key and request gives the earlier function again", async () => {
  await using place = await RegistryPlace.make();
  const request = aDeploy({ idempotencyKey: "k" });
  const first = await place.registry.deploy(request);
  assert.deepEqual(await place.registry.deploy(request), { record: first.record, replayed: true });
});

Deno.test("deploy() gives the earlier function again although the tenant is full by now", async () => {
  await using place = await RegistryPlace.make({ limits: { functionsPerTenantMax: 1 } });
  const request = aDeploy({ idempotencyKey: "k" });
  await place.registry.deploy(request);
  assert.equal((await place.registry.deploy(request)).replayed, true);
});

Deno.test("deploy() with the same key refuses another name or other bytes, and keeps no blob", async () => {
  await using place = await RegistryPlace.make();
  const { registry } = place;
  await registry.deploy(aDeploy({ idempotencyKey: "k" }));
  for (const changes of [{ name: "other" }, { bytes: aModule(9) }]) {
    await assert.rejects(
      () => registry.deploy(aDeploy({ idempotencyKey: "k", ...changes })),
      isFault("idempotency_conflict", /^Idempotency-Key was used before with another request$/),
    );
  }
  assert.equal((await Array.fromAsync(place.store.blobs.list())).length, 1);
});

Deno.test("deploy() with the same key by another tenant is another request", async () => {
  await using place = await RegistryPlace.make();
  await place.registry.deploy(aDeploy({ idempotencyKey: "k" }));
  const other = await place.registry.deploy(aDeploy({ tenant: "other", idempotencyKey: "k" }));
  assert.equal(other.replayed, false);
});

Deno.test("deploy() by many with the same key at once makes one function", async () => {
  await using place = await RegistryPlace.make();
  const results = await Promise.all(
    Array.from({ length: 10 }, () => place.registry.deploy(aDeploy({ idempotencyKey: "k" }))),
  );
  assert.equal(new Set(results.map(({ record }) => record.id)).size, 1);
  assert.equal(results.filter(({ replayed }) => !replayed).length, 1);
  assert.equal(place.store.records.countFunctions("acme"), 1);
});

Deno.test("deploy() by many with the same key and different bytes makes one and keeps one blob", async () => {
  await using place = await RegistryPlace.make();
  const results = await Promise.allSettled(
    Array.from(
      { length: 10 },
      (_, number) => place.registry.deploy(aDeploy({ idempotencyKey: "k", bytes: aModule(number) })),
    ),
  );
  assert.equal(results.filter(({ status }) => status === "fulfilled").length, 1);
  for (const result of results) {
    if (result.status === "rejected") assert.ok(isFault("idempotency_conflict")(result.reason));
  }
  assert.equal((await Array.fromAsync(place.store.blobs.list())).length, 1);
});

Deno.test("deploy() takes keys of 1 to 255 visible ASCII characters", async () => {
  await using place = await RegistryPlace.make();
  for (const idempotencyKey of ["!", "~".repeat(255)]) {
    await place.registry.deploy(aDeploy({ idempotencyKey }));
  }
  for (const idempotencyKey of ["", "~".repeat(256), "a b", "ü", "a\n"]) {
    await assert.rejects(() => place.registry.deploy(aDeploy({ idempotencyKey })), isFault("bad_request"));
  }
});

Deno.test("deploy() may use a key again after its function was removed", async () => {
  await using place = await RegistryPlace.make();
  const request = aDeploy({ idempotencyKey: "k" });
  const { record } = await place.registry.deploy(request);
  await place.registry.remove({ type: "id", id: record.id }, "acme");
  assert.equal((await place.registry.deploy(request)).replayed, false);
});

Deno.test("deploy() whose blob fails makes no record", async () => {
  await using place = await RegistryPlace.make({
    wrap: (store) =>
      withMethods(store, {
        blobs: {
          put: () => Promise.reject(fault("internal", "Module could not be stored: no space is left")),
        },
      }),
  });
  await assert.rejects(() => place.registry.deploy(aDeploy()), isFault("internal", /no space is left$/));
  assert.equal(place.store.records.countFunctions("acme"), 0);
});

Deno.test("deploy() whose record fails leaves no blob", async () => {
  await using place = await RegistryPlace.make({
    wrap: (store) =>
      withMethods(store, {
        records: { insertFunction: () => Promise.reject(fault("internal", "Function could not be stored")) },
      }),
  });
  await assert.rejects(() => place.registry.deploy(aDeploy()), isFault("internal"));
  assert.deepEqual(await Array.fromAsync(place.store.blobs.list()), []);
});

Deno.test("deploy() whose record fails keeps a blob that another function has", async () => {
  let failing = false;
  await using place = await RegistryPlace.make({
    wrap: (store) =>
      withMethods(store, {
        records: {
          insertFunction: (entry, conditions) =>
            failing
              ? Promise.reject(fault("internal", "Function could not be stored"))
              : store.records.insertFunction(entry, conditions),
        },
      }),
  });
  await place.registry.deploy(aDeploy());
  failing = true;
  await assert.rejects(() => place.registry.deploy(aDeploy()), isFault("internal"));
  assert.equal((await Array.fromAsync(place.store.blobs.list())).length, 1);
});

Deno.test("deploy() has the blob durable before the record", async () => {
  const steps: string[] = [];
  await using place = await RegistryPlace.make({
    wrap: (store) =>
      withMethods(store, {
        blobs: {
          put: async (bytes) => {
            const digest = await store.blobs.put(bytes);
            steps.push("blob");
            return digest;
          },
        },
        records: {
          insertFunction: (entry, conditions) => {
            steps.push("record");
            return store.records.insertFunction(entry, conditions);
          },
        },
      }),
  });
  await place.registry.deploy(aDeploy());
  assert.deepEqual(steps, ["blob", "record"]);
});

Deno.test("deploy() and remove() of the same bytes at once leave every record its blob", async () => {
  await using place = await RegistryPlace.make();
  const { registry, store } = place;
  const cycle = async (registry: FunctionRegistry): Promise<void> => {
    for (let round = 0; round < 8; round += 1) {
      const { record } = await registry.deploy(aDeploy());
      assert.equal(await store.blobs.has(record.digest), true);
      await registry.remove({ type: "id", id: record.id }, "acme");
    }
  };
  await Promise.all([cycle(registry), cycle(registry), cycle(registry)]);
  assert.deepEqual(await Array.fromAsync(store.blobs.list()), []);
});
