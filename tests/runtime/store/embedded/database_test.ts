import assert from "node:assert/strict";
import type { DatabaseSync } from "node:sqlite";
import { openDatabase } from "../../../../runtime/store/embedded/database.ts";
import { readSchemaVersion, SCHEMA_VERSION } from "../../../../runtime/store/embedded/migrations.ts";
import { StoreOpenError } from "../../../../runtime/store/store.ts";

async function withPath(body: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "database_test_" });
  try {
    await body(`${folder}/records.sqlite`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function pragma(database: DatabaseSync, name: string): unknown {
  return Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0];
}

Deno.test("openDatabase() configures a write-ahead log, foreign keys, and nothing that waits for disk or lock", async () => {
  await withPath(async (path) => {
    const database = await openDatabase(path);
    assert.equal(pragma(database, "journal_mode"), "wal");
    assert.equal(pragma(database, "synchronous"), 1);
    assert.equal(pragma(database, "wal_autocheckpoint"), 0);
    assert.equal(pragma(database, "foreign_keys"), 1);
    assert.equal(pragma(database, "busy_timeout"), 0);
    database.close();
  });
});

Deno.test("openDatabase() brings an empty file to this program's version, once", async () => {
  await withPath(async (path) => {
    for (const _opening of [1, 2]) {
      const database = await openDatabase(path);
      assert.equal(readSchemaVersion(database), SCHEMA_VERSION);
      assert.equal(database.prepare("SELECT count(*) AS n FROM schema_version").get()?.["n"], 1);
      database.close();
    }
  });
});

Deno.test("openDatabase() refuses a newer version, with both numbers, and leaves it as it was", async () => {
  await withPath(async (path) => {
    const newer = SCHEMA_VERSION + 1;
    let database = await openDatabase(path);
    database.prepare("UPDATE schema_version SET version = ?").run(newer);
    database.close();
    for (const _opening of [1, 2]) {
      await assert.rejects(
        () => openDatabase(path),
        (error: unknown) =>
          error instanceof StoreOpenError && error.message ===
            `Database ${path} was written by a newer program: schema version is ${newer}, ` +
              `this program knows ${SCHEMA_VERSION}. Start the newer program, or this one on another folder (--data)`,
      );
    }
    // The refused openings left no connection behind that would hold the file.
    await Deno.remove(path);
    database = await openDatabase(path);
    database.close();
  });
});
