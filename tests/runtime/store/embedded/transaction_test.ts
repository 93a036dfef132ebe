import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { inTransaction, runStatement } from "../../../../runtime/store/embedded/transaction.ts";

function aDatabase(): DatabaseSync {
  const database = new DatabaseSync(":memory:");
  runStatement(database, "CREATE TABLE parts (name TEXT UNIQUE)");
  return database;
}

function count(database: DatabaseSync): unknown {
  return database.prepare("SELECT count(*) AS n FROM parts").get()?.["n"];
}

Deno.test("inTransaction() commits and gives back what the body returns", () => {
  const database = aDatabase();
  assert.equal(
    inTransaction(database, () => database.prepare("INSERT INTO parts VALUES ('a')").run().changes),
    1,
  );
  assert.equal(database.isTransaction, false);
  assert.equal(count(database), 1);
  database.close();
});

Deno.test("inTransaction() undoes all of a body that throws, and is ready again", () => {
  const database = aDatabase();
  const insert = database.prepare("INSERT INTO parts VALUES (?)");
  assert.throws(() =>
    inTransaction(database, () => {
      insert.run("a");
      insert.run("a");
    }), /UNIQUE/);
  assert.equal(count(database), 0);
  inTransaction(database, () => insert.run("b"));
  assert.equal(count(database), 1);
  database.close();
});

Deno.test("inTransaction() bears a failure that has rolled back by itself", () => {
  const database = aDatabase();
  const cause = new Error("as a full disk does");
  assert.throws(() =>
    inTransaction(database, () => {
      runStatement(database, "ROLLBACK");
      throw cause;
    }), cause);
  assert.equal(database.isTransaction, false);
  database.close();
});
