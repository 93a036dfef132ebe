/** What an open store says of its folder when that is taken away, replaced, cut, overwritten, full or read-only. */
import assert from "node:assert/strict";
import type { EmbeddedStore } from "../../../../runtime/store/embedded/embedded_store.ts";
import { aJob } from "../../../contract/job_store_contract.ts";
import { aFunction } from "../../../contract/store_contract.ts";
import { isFault } from "../is_fault.ts";
import { DataFolder } from "./data_folder.ts";

const UNLIMITED = { functionsCountMax: 1000 };

/** What a store told, as `failed database: phrase (final)` and `recovered database`. */
function listen(store: EmbeddedStore): string[] {
  const told: string[] = [];
  store.health.listen({
    failed: ({ part, phrase, isFinal }) =>
      void told.push(`failed ${part}: ${phrase}${isFinal ? " (final)" : ""}`),
    recovered: (part) => void told.push(`recovered ${part}`),
  });
  return told;
}

interface Attack {
  readonly what: string;
  readonly phrase: string;
  attack(path: string): Promise<void>;
}

const ATTACKS: readonly Attack[] = [
  {
    what: "the folder is removed",
    phrase: "the data folder's lock was removed",
    attack: (path) => Deno.remove(path, { recursive: true }),
  },
  {
    what: "the lock is removed",
    phrase: "the data folder's lock was removed",
    attack: (path) => Deno.remove(`${path}/lock`),
  },
  {
    what: "the lock is another's",
    phrase: "the data folder's lock was replaced",
    attack: async (path) => {
      await Deno.writeTextFile(`${path}/other`, "123456789");
      await Deno.rename(`${path}/other`, `${path}/lock`);
    },
  },
  {
    what: "the database is removed",
    phrase: "the database was removed",
    attack: (path) => Deno.remove(`${path}/records.sqlite`),
  },
  {
    what: "the database is replaced by a copy",
    phrase: "the database was replaced",
    attack: async (path) => {
      await Deno.copyFile(`${path}/records.sqlite`, `${path}/copy`);
      await Deno.rename(`${path}/copy`, `${path}/records.sqlite`);
    },
  },
  {
    what: "the database is cut short",
    phrase: "the database was cut short",
    attack: (path) => Deno.truncate(`${path}/records.sqlite`, 4096),
  },
  {
    what: "the database is overwritten",
    phrase: "the database was overwritten and is damaged",
    attack: async (path) => {
      using file = await Deno.open(`${path}/records.sqlite`, { write: true });
      const { size } = await file.stat();
      await file.write(new Uint8Array(size).fill(0xa5));
      // Whatever the clock of the file system is, another time than before.
      await file.utime(new Date(1), new Date(1));
    },
  },
  {
    what: "the log is removed",
    phrase: "the database's log was removed",
    attack: (path) => Deno.remove(`${path}/records.sqlite-wal`),
  },
  {
    what: "the log is cut short",
    phrase: "the database's log was cut short",
    attack: (path) => Deno.truncate(`${path}/records.sqlite-wal`),
  },
];

/** A store that has been written to, in the database itself and in its log. */
async function used(folder: DataFolder): Promise<EmbeddedStore> {
  {
    await using store = await folder.open();
    for (let count = 0; count < 20; count++) await store.records.insertFunction(aFunction(), UNLIMITED);
  }
  const store = await folder.open();
  const job = aJob({ input: new Uint8Array(20_000) });
  await store.jobs.submit(job);
  await store.look();
  assert.equal(store.health.failure, undefined);
  return store;
}

for (const { what, phrase, attack } of ATTACKS) {
  Deno.test(`${what}: nothing is acknowledged any more, and the store says why`, async () => {
    await using folder = await DataFolder.make();
    await using store = await used(folder);
    const told = listen(store);
    await attack(folder.path);
    await store.look();
    assert.deepEqual(told, [`failed database: ${phrase} (final)`]);
    const isRefused = isFault("internal", new RegExp(`: ${phrase}$`));
    await assert.rejects(store.jobs.submit(aJob()), isRefused);
    await assert.rejects(store.records.insertFunction(aFunction(), UNLIMITED), isRefused);
    await store.look();
    assert.deepEqual(told, [`failed database: ${phrase} (final)`]);
    assert.equal(store.health.failure?.phrase, phrase);
  });
}

Deno.test("a write finds that the database or its log is gone before any look does", async () => {
  for (const name of ["records.sqlite", "records.sqlite-wal"]) {
    await using folder = await DataFolder.make();
    await using store = await used(folder);
    const told = listen(store);
    await Deno.remove(`${folder.path}/${name}`);
    await assert.rejects(
      store.jobs.submit(aJob()),
      isFault("internal", /: the database('s log)? was removed$/),
    );
    assert.equal(told.length, 1);
    assert.equal(store.health.failure?.isFinal, true);
  }
});

Deno.test("a database that a shell has written to is not damaged", async () => {
  await using folder = await DataFolder.make();
  await using store = await used(folder);
  const told = listen(store);
  await Deno.utime(`${folder.path}/records.sqlite`, new Date(1), new Date(1));
  await store.look();
  await store.look();
  assert.deepEqual(told, []);
  await store.jobs.submit(aJob());
});

Deno.test("files that cannot be written are tried again, and the store recovers by itself", async () => {
  await using folder = await DataFolder.make();
  await using store = await used(folder);
  const told = listen(store);
  // A file in the folder's place is what root cannot write into either.
  await Deno.remove(`${folder.path}/incoming`);
  await Deno.writeTextFile(`${folder.path}/incoming`, "");
  await assert.rejects(
    store.blobs.put(new Uint8Array([1])),
    isFault("internal", /stored: a part of the path/),
  );
  await store.look();
  const failed = "failed files: a part of the path is not a folder";
  assert.deepEqual([told, store.health.failure?.part], [[failed], "files"]);
  await Deno.remove(`${folder.path}/incoming`);
  await Deno.mkdir(`${folder.path}/incoming`);
  await store.look();
  assert.deepEqual([told, store.health.failure], [[failed, "recovered files"], undefined]);
  assert.deepEqual(await folder.incoming(), []);
  await store.blobs.put(new Uint8Array([1]));
});

Deno.test("a folder that was taken away does not come back in parts", async () => {
  await using folder = await DataFolder.make();
  await using store = await used(folder);
  await Deno.remove(folder.path, { recursive: true });
  await assert.rejects(store.blobs.put(new Uint8Array([1])), isFault("internal", /missing$/));
  await assert.rejects(Deno.stat(folder.path), Deno.errors.NotFound);
});
