/**
 * What a job costs the gateway's event loop in the store: acceptance, start and end, as they are gathered, beside
 * one synced transaction for each, in one run on one folder.
 *
 * `deno run --allow-all tests/bench/job_writes.ts [jobs]`. Invariant: both columns write the same rows, and every
 * write of both is on the disk when it is counted.
 */
import { DatabaseSync } from "node:sqlite";
import process from "node:process";
import { openEmbeddedStore } from "../../runtime/store/embedded/embedded_store.ts";
import { aFinish, aJob } from "../contract/job_store_contract.ts";

const JOBS_COUNT = Number(Deno.args[0] ?? 5_000);
/** Jobs whose change is under way at a time. */
const ARRIVING_COUNT = 256;

interface Row {
  readonly what: string;
  readonly writes: number;
  readonly ms: number;
  readonly cpuMs: number;
  /** Longest time for which the event loop had no turn. */
  readonly heldMsMax: number;
}

async function measure(what: string, writes: number, body: () => Promise<void>): Promise<Row> {
  let last = performance.now();
  let heldMsMax = 0;
  const monitor = setInterval(() => {
    const now = performance.now();
    heldMsMax = Math.max(heldMsMax, now - last);
    last = now;
  }, 1);
  const before = process.cpuUsage();
  const startMs = performance.now();
  await body();
  const ms = performance.now() - startMs;
  const { user, system } = process.cpuUsage(before);
  clearInterval(monitor);
  return { what, writes, ms, cpuMs: (user + system) / 1000, heldMsMax };
}

async function eachOf<T>(items: readonly T[], change: (item: T) => Promise<unknown>): Promise<void> {
  let next = 0;
  const arriving = async (): Promise<void> => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) await change(item);
  };
  await Promise.all(Array.from({ length: ARRIVING_COUNT }, arriving));
}

const folder = await Deno.makeTempDir({ prefix: "tensor-wasm-bench-" });
const rows: Row[] = [];
{
  await using store = await openEmbeddedStore(`${folder}/data`);
  const jobs = Array.from({ length: JOBS_COUNT }, () => aJob());
  const count = jobs.length;
  rows.push(await measure("accepted, gathered", count, () => eachOf(jobs, (job) => store.jobs.submit(job))));
  rows.push(
    await measure("started, gathered", count, () => eachOf(jobs, ({ id }) => store.jobs.start(id, 1, 1))),
  );
  rows.push(
    await measure("ended, gathered", count, () => eachOf(jobs, ({ id }) => store.jobs.finish(id, aFinish()))),
  );
}
{
  // The same rows, one transaction each, synced before it returns.
  using database = new DatabaseSync(`${folder}/data/records.sqlite`);
  database.prepare("PRAGMA synchronous = FULL").run();
  const insert = database.prepare(
    "INSERT INTO jobs (id, tenant, function_id, state, attempt, call, trace, input_bytes, output_bytes, " +
      "created_unix_ms, cancel_requested, kept_bytes) VALUES (?, '7', 'f', 'queued', 0, ?, '{}', 0, 0, 1, 0, 512)",
  );
  const call = JSON.stringify(aJob().call);
  const count = Math.min(JOBS_COUNT, 1_000);
  rows.push(
    await measure("accepted, one by one", count, async () => {
      for (let done = 0; done < count; done++) {
        insert.run(crypto.randomUUID(), call);
        if (done % 16 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
      }
    }),
  );
}
await Deno.remove(folder, { recursive: true });
for (const { what, writes, ms, cpuMs, heldMsMax } of rows) {
  const per = (value: number): string => (value * 1000 / writes).toFixed(1);
  const text = `${what}: ${per(ms)} µs a job, ${
    per(cpuMs)
  } µs of processor, the event loop held for at most ${heldMsMax.toFixed(1)} ms`;
  await Deno.stdout.write(new TextEncoder().encode(`${text}\n`));
}
