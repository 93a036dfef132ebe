import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { prepareJobStatements } from "../../../../runtime/store/embedded/job_statements.ts";
import { aFinish, aJob, jobStoreContract } from "../../../contract/job_store_contract.ts";
import { DataFolder } from "./data_folder.ts";

jobStoreContract("SqliteJobStore", () => DataFolder.make());

const LARGE = new Uint8Array(70_000).fill(1);

async function jobFiles(folder: DataFolder): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(`${folder.path}/jobs`))).map(({ name }) => name).sort();
}

Deno.test("a large input is a file until its job ends, a large output until its job is removed", async () => {
  await using folder = await DataFolder.make();
  await using store = await folder.open();
  const job = aJob({ input: LARGE });
  await store.jobs.submit(job);
  assert.deepEqual(await jobFiles(folder), [`${job.id}.input`]);
  assert.equal(((await Deno.stat(`${folder.path}/jobs/${job.id}.input`)).mode ?? 0) & 0o777, 0o600);
  await store.jobs.finish(job.id, aFinish({ output: LARGE }));
  assert.deepEqual(await jobFiles(folder), [`${job.id}.output`]);
  await store.jobs.removeFinished({ countMax: 1 });
  assert.deepEqual(await jobFiles(folder), []);
});

Deno.test("a submission that is a replay leaves no file", async () => {
  await using folder = await DataFolder.make();
  await using store = await folder.open();
  const idempotency = { key: "k", requestDigest: "r" };
  await store.jobs.submit(aJob({ idempotency }));
  await store.jobs.submit(aJob({ idempotency, input: LARGE }));
  await store.jobs.submit(aJob({ idempotency: { key: "k", requestDigest: "s" }, input: LARGE }));
  assert.deepEqual(await jobFiles(folder), []);
});

Deno.test("opening removes files that no job speaks of, and no other", async () => {
  await using folder = await DataFolder.make();
  const [waiting, done] = [aJob({ input: LARGE }), aJob({ input: LARGE })];
  {
    await using store = await folder.open();
    for (const job of [waiting, done]) await store.jobs.submit(job);
    await store.jobs.finish(done.id, aFinish({ output: LARGE }));
  }
  const left = [`${waiting.id}.input`, `${done.id}.output`].sort();
  for (const name of [`${done.id}.input`, `${waiting.id}.output`, `${waiting.id}.input.part`, "stray"]) {
    await Deno.writeFile(`${folder.path}/jobs/${name}`, LARGE);
  }
  await Deno.writeFile(`${folder.path}/jobs/${crypto.randomUUID()}.input`, LARGE);
  await using store = await folder.open();
  assert.equal(store.recovery.temporaryFilesCount, 5);
  assert.deepEqual(await jobFiles(folder), left);
  assert.deepEqual(await store.jobs.input(waiting.id), LARGE);
});

Deno.test("a job whose call an earlier version put into its row, however long, is found as it was", async () => {
  await using folder = await DataFolder.make();
  const { call } = aJob();
  const job = aJob({ call: { ...call, programArgs: ["long".repeat(1000)] } });
  {
    await using store = await folder.open();
    await store.jobs.submit(job);
  }
  const database = new DatabaseSync(`${folder.path}/records.sqlite`);
  database.prepare("UPDATE jobs SET call = (SELECT call FROM job_calls)").run();
  database.prepare("DROP TABLE job_calls").run();
  database.exec(`
    DROP INDEX jobs_unfinished;
    DROP INDEX jobs_of_tenant_by_end;
    CREATE INDEX jobs_of_tenant_by_end ON jobs (tenant, finished_unix_ms) WHERE finished_unix_ms IS NOT NULL`);
  database.prepare("UPDATE schema_version SET version = 2").run();
  database.close();
  await using store = await folder.open();
  assert.deepEqual(store.jobs.find(job.id)?.call, job.call);
  assert.deepEqual([...store.jobs.unfinished()].map(({ id }) => id), [job.id]);
});

Deno.test("what a start asks for, and a page of a list, is answered from an index, however many jobs are kept", async () => {
  await using folder = await DataFolder.make();
  await (await folder.open())[Symbol.asyncDispose]();
  using database = new DatabaseSync(`${folder.path}/records.sqlite`);
  const statements = prepareJobStatements(database);
  const plans: readonly (readonly [sql: string, plan: RegExp])[] = [
    [statements.unfinished.sourceSQL, /^SCAN jobs USING INDEX jobs_unfinished/],
    [statements.kept.sourceSQL, /^SCAN jobs USING COVERING INDEX jobs_of_tenant_by_end$/],
    [statements.listFirst.sourceSQL, /^SEARCH jobs USING INDEX jobs_by_creation \(tenant=\?\)$/],
    [statements.listAfter.sourceSQL, /^SEARCH jobs USING INDEX jobs_by_creation \(tenant=\? AND /],
    [statements.oldest.sourceSQL, /^SEARCH jobs USING INDEX jobs_by_end /],
    [statements.oldestOfTenant.sourceSQL, /^SEARCH jobs USING INDEX jobs_of_tenant_by_end /],
  ];
  for (const [sql, expected] of plans) {
    const plan = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all().map((row) => String(row["detail"]));
    assert.match(plan[0] ?? "", expected, sql);
    assert.ok(!plan.some((step) => step.includes("TEMP B-TREE")), plan.join("; "));
  }
});
