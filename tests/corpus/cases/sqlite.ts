/** node-sqlite3-wasm: SQLite in C, compiled by emscripten, its callbacks going out and in again. */
import sqlite from "node-sqlite3-wasm";

export function run(): Promise<unknown> {
  const database = new sqlite.Database(":memory:");
  database.function("half", (value) => Number(value) / 2, { deterministic: true });
  database.exec("create table word (id integer primary key, text text unique, weight real, bytes blob)");
  const insert = database.prepare("insert into word (text, weight, bytes) values (?, ?, ?)");
  for (let index = 0; index < 500; index++) {
    insert.run([`word-${(index * 7919) % 1_000}`, index * 1.5, new Uint8Array([index & 255, 1, 2])]);
  }
  insert.finalize();
  let refused = "accepted";
  try {
    database.run("insert into word (text) values ('word-0')");
  } catch (error) {
    refused = String(error);
  }
  const results = {
    version: database.get("select sqlite_version() as version"),
    top: database.all("select text, half(weight) as h, bytes from word order by weight desc limit 5"),
    window: database.all(
      "with recursive n(i) as (select 1 union all select i + 1 from n where i < 2000) " +
        "select i % 7 as bucket, count(*) c, sum(i) s, group_concat(i % 3) g from n group by bucket",
    ),
    json: database.get(
      "select json_group_array(json_object('t', text)) j from (select * from word limit 20)",
    ),
    refused,
  };
  database.close();
  return Promise.resolve(results);
}
