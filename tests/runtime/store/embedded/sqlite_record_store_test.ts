import assert from "node:assert/strict";
import type { DatabaseSync } from "node:sqlite";
import { openDatabase } from "../../../../runtime/store/embedded/database.ts";
import { GroupCommit } from "../../../../runtime/store/embedded/group_commit.ts";
import { SqliteRecordStore } from "../../../../runtime/store/embedded/sqlite_record_store.ts";
import { aFunction } from "../../../contract/store_contract.ts";
import { isFault } from "../is_fault.ts";

const UNLIMITED = { functionsCountMax: 1000 };

async function withRecords(
  body: (records: SqliteRecordStore, database: DatabaseSync) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "records_test_" });
  const database = await openDatabase(`${folder}/records.sqlite`);
  try {
    const group = new GroupCommit(database, { sync: () => Promise.resolve(), refusal: () => undefined });
    await body(new SqliteRecordStore(database, group), database);
  } finally {
    database.close();
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("SqliteRecordStore.insertFunction() says that no space is left, and keeps nothing of it", async () => {
  await withRecords(async (records, database) => {
    const pages = Number(database.prepare("PRAGMA page_count").get()?.["page_count"]);
    database.prepare(`PRAGMA max_page_count = ${pages}`).get();
    const big = aFunction({ tenant: "t".repeat(100_000) });
    await assert.rejects(
      () => records.insertFunction(big, { ...UNLIMITED, idempotency: { key: "k", requestDigest: "r" } }),
      isFault("internal", /^Function could not be stored: no space is left$/),
    );
    assert.equal(records.countFunctions(big.tenant), 0);
    assert.equal(records.findIdempotency(big.tenant, "k"), undefined);
    database.prepare("PRAGMA max_page_count = 1000000").get();
    const result = await records.insertFunction(big, UNLIMITED);
    assert.equal(result.type === "inserted" && result.record.version, 1);
  });
});

Deno.test("SqliteRecordStore refuses writes to read-only storage, and still reads", async () => {
  await withRecords(async (records, database) => {
    const entry = aFunction();
    await records.insertFunction(entry, UNLIMITED);
    database.prepare("PRAGMA query_only = 1").get();
    await assert.rejects(
      () => records.insertFunction(aFunction(), UNLIMITED),
      isFault("internal", /^Function could not be stored: the storage is read-only$/),
    );
    await assert.rejects(
      () => records.removeFunction(entry.id),
      isFault("internal", /^Function could not be deleted: the storage is read-only$/),
    );
    assert.equal(records.findFunction(entry.id)?.id, entry.id);
  });
});

Deno.test("SqliteRecordStore.findFunction() refuses a row whose facts are damaged", async () => {
  await withRecords(async (records, database) => {
    const entry = aFunction();
    await records.insertFunction(entry, UNLIMITED);
    database.prepare("UPDATE functions SET facts = '{'").run();
    assert.throws(() => records.findFunction(entry.id), isFault("internal", /^Stored function is damaged$/));
    assert.equal(records.listFunctions("acme", 1).length, 1, "a list does not read facts");
  });
});

Deno.test("SqliteRecordStore answers every lookup of an invocation or a deploy from an index", async () => {
  await withRecords((_records, database) => {
    for (
      const query of [
        "SELECT * FROM functions WHERE id = 'x'",
        "SELECT * FROM functions WHERE tenant = 'a' AND name = 'b' ORDER BY version DESC LIMIT 1",
        "SELECT * FROM functions WHERE tenant = 'a' AND (created_unix_ms, id) > (1, 'x') " +
        "ORDER BY created_unix_ms, id LIMIT 1",
        "SELECT count(*) FROM functions WHERE tenant = 'a'",
        "SELECT 1 FROM functions WHERE digest = 'x' LIMIT 1",
      ]
    ) {
      const plan = database.prepare(`EXPLAIN QUERY PLAN ${query}`).all().map((row) => String(row["detail"]));
      assert.equal(plan.length, 1, plan.join("; "));
      assert.match(plan[0] ?? "", /^SEARCH functions USING (COVERING )?INDEX/, query);
    }
    return Promise.resolve();
  });
});
