/**
 * SqliteJobStore: jobs in the embedded database, their large parts in files beside it.
 *
 * Owns the statements, whose writes are gathered with those of others (group_commit.ts), and the order of
 * file and row: a file is durable before the row that speaks of it, and removed after. Invariant: every change
 * of state is one guarded statement, so of two that race one changes nothing and answers false.
 */
import type { DatabaseSync } from "node:sqlite";
import type { JobRecord, JobSummary } from "../../model/job.ts";
import type {
  JobFilter,
  JobFinish,
  JobRemoval,
  JobScan,
  JobStore,
  KeptJobs,
  NewJob,
  SubmitResult,
} from "../job_store.ts";
import type { ListPosition } from "../record_store.ts";
import { toStorageFault } from "../storage_failure.ts";
import type { StoreHealth } from "../store_health.ts";
import { numberOf, type Row, textOf } from "./function_row.ts";
import type { GroupCommit } from "./group_commit.ts";
import type { JobFiles, JobPart } from "./job_files.ts";
import { fromJobRow, fromSummaryRow, longCallOf, toJobValues } from "./job_row.ts";
import { type JobStatements, prepareJobStatements } from "./job_statements.ts";

/** Parts up to this size are rows; a file costs two syncs, a row none of its own. */
export const INLINE_BYTES_MAX = 64 * 1024;

/** Most records that one call of `list` looks at. */
const SCAN_COUNT_MAX = 1000;

const NO_BYTES = new Uint8Array(0);

/** Jobs in a database that `openDatabase` gave. */
export class SqliteJobStore implements JobStore {
  readonly #statements: JobStatements;
  readonly #group: GroupCommit;
  readonly #files: JobFiles;
  readonly #health: StoreHealth | undefined;

  constructor(database: DatabaseSync, group: GroupCommit, files: JobFiles, health?: StoreHealth) {
    this.#health = health;
    this.#statements = prepareJobStatements(database);
    this.#group = group;
    this.#files = files;
  }

  async submit(job: NewJob): Promise<SubmitResult> {
    const isLarge = job.input.length > INLINE_BYTES_MAX;
    if (isLarge) await this.#writeFile(job.id, "input", job.input);
    let result: SubmitResult | undefined;
    try {
      result = await this.#write("Job could not be stored", () => this.#insert(job, isLarge));
      return result;
    } finally {
      if (isLarge && result?.type !== "inserted") await this.#files.remove(job.id, "input");
    }
  }

  start(id: string, attempt: number, startedUnixMs: number): Promise<boolean> {
    return this.#change(() => this.#statements.start.run(attempt, startedUnixMs, id).changes !== 0);
  }

  requeue(id: string, attempt: number): Promise<boolean> {
    return this.#change(() => this.#statements.requeue.run(attempt, id).changes !== 0);
  }

  requestCancel(id: string): Promise<boolean> {
    return this.#change(() => this.#statements.requestCancel.run(id).changes !== 0);
  }

  async finish(id: string, finish: JobFinish): Promise<number | undefined> {
    const isLarge = finish.output.length > INLINE_BYTES_MAX;
    // The output of a job that is final is not to be replaced.
    if (isLarge && this.find(id)?.end !== undefined) return undefined;
    if (isLarge) await this.#writeFile(id, "output", finish.output);
    let row: Row | undefined;
    try {
      row = await this.#change(() => this.#finish(id, finish, isLarge));
    } catch (error) {
      if (isLarge) await this.#files.remove(id, "output");
      throw error;
    }
    if (row === undefined) return undefined;
    if (numberOf(row, "input_bytes") > INLINE_BYTES_MAX) await this.#files.remove(id, "input");
    return numberOf(row, "kept_bytes");
  }

  find(id: string): JobRecord | undefined {
    return this.#read(() => {
      const row = this.#statements.find.get(id);
      return row === undefined ? undefined : fromJobRow(row);
    });
  }

  findIdempotency(tenant: string, key: string): { requestDigest: string; id: string } | undefined {
    return this.#read(() => this.#findKey(tenant, key));
  }

  list(tenant: string, filter: JobFilter, countMax: number, after?: ListPosition): JobScan {
    return this.#read(() => {
      const { listFirst, listAfter } = this.#statements;
      const limit = filter.state === undefined && filter.functionId === undefined
        ? countMax + 1
        : SCAN_COUNT_MAX + 1;
      const rows = after === undefined
        ? listFirst.all(tenant, limit)
        : listAfter.all(tenant, after.createdUnixMs, after.id, limit);
      const jobs: JobSummary[] = [];
      for (const [index, row] of rows.entries()) {
        // One more than is shown tells whether there is more.
        if (jobs.length === countMax || index === limit - 1) {
          return { jobs, next: positionOf(rows[index - 1]) };
        }
        if (matches(row, filter)) jobs.push(fromSummaryRow(row));
      }
      return { jobs };
    });
  }

  *unfinished(): Iterable<JobRecord> {
    const rows = this.#read(() => this.#statements.unfinished.iterate());
    for (;;) {
      const next = this.#read(() => rows.next());
      if (next.done === true) return;
      yield fromJobRow(next.value);
    }
  }

  async input(id: string): Promise<Uint8Array<ArrayBuffer>> {
    const row = this.#read(() => this.#statements.findInput.get(id));
    return bytesOf(row) ?? await this.#readFile(id, "input");
  }

  async output(id: string): Promise<Uint8Array<ArrayBuffer>> {
    const row = this.#read(() => this.#statements.findOutput.get(id));
    return bytesOf(row) ?? await this.#readFile(id, "output");
  }

  kept(): readonly KeptJobs[] {
    return this.#read(() => this.#statements.kept.all().map(toKept));
  }

  async removeFinished({ tenant, finishedUnixMsMax, countMax }: JobRemoval): Promise<readonly KeptJobs[]> {
    const rows = await this.#write("Jobs could not be removed", () => {
      const { oldest, oldestOfTenant, remove } = this.#statements;
      const before = finishedUnixMsMax ?? Number.MAX_SAFE_INTEGER;
      const found = tenant === undefined
        ? oldest.all(before, countMax)
        : oldestOfTenant.all(tenant, before, countMax);
      for (const row of found) remove.run(textOf(row, "id"));
      return found;
    });
    const removed = new Map<string, { tenant: string; count: number; bytes: number }>();
    for (const row of rows) {
      const of = textOf(row, "tenant");
      const sum = removed.get(of) ?? { tenant: of, count: 0, bytes: 0 };
      removed.set(of, { tenant: of, count: sum.count + 1, bytes: sum.bytes + numberOf(row, "kept_bytes") });
      if (numberOf(row, "output_bytes") > INLINE_BYTES_MAX) {
        await this.#files.remove(textOf(row, "id"), "output");
      }
    }
    return [...removed.values()];
  }

  /** Removes files that no job speaks of: what a crash between file and row left. */
  sweepFiles(): Promise<number> {
    return this.#files.sweep((id, part) => {
      const job = this.find(id);
      if (job === undefined) return false;
      const bytes = part === "output" ? job.outputBytes : job.end === undefined ? job.inputBytes : 0;
      return bytes > INLINE_BYTES_MAX;
    });
  }

  #insert(job: NewJob, isLarge: boolean): SubmitResult {
    const { idempotency, input } = job;
    if (idempotency !== undefined) {
      const known = this.#findKey(job.tenant, idempotency.key);
      if (known !== undefined) {
        return known.requestDigest === idempotency.requestDigest
          ? { type: "replayed", id: known.id }
          : { type: "key_conflict" };
      }
    }
    const longCall = longCallOf(job);
    const { lastInsertRowid } = this.#statements.insert.run(...toJobValues(job, longCall));
    if (longCall !== undefined) this.#statements.insertCall.run(lastInsertRowid, longCall);
    if (input.length > 0 && !isLarge) this.#statements.insertInput.run(lastInsertRowid, input);
    return { type: "inserted" };
  }

  #finish(id: string, { state, end, output, finishedUnixMs }: JobFinish, isLarge: boolean): Row | undefined {
    const { finish, insertOutput, removeInput } = this.#statements;
    const text = JSON.stringify(end);
    const row = finish.get(state, text, output.length, finishedUnixMs, text.length + output.length, id);
    if (row === undefined) return undefined;
    const seq = numberOf(row, "seq");
    if (numberOf(row, "input_bytes") > 0) removeInput.run(seq);
    if (output.length > 0 && !isLarge) insertOutput.run(seq, output);
    return row;
  }

  #findKey(tenant: string, key: string): { requestDigest: string; id: string } | undefined {
    const row = this.#statements.findKey.get(tenant, key);
    return row === undefined
      ? undefined
      : { requestDigest: textOf(row, "request_digest"), id: textOf(row, "id") };
  }

  #change<T>(work: () => T): Promise<T> {
    return this.#write("Job could not be changed", work);
  }

  async #write<T>(what: string, work: () => T): Promise<T> {
    try {
      return await this.#group.add(work);
    } catch (error) {
      throw toStorageFault(error, what);
    }
  }

  async #writeFile(id: string, part: JobPart, bytes: Uint8Array): Promise<void> {
    try {
      await this.#files.write(id, part, bytes);
      this.#health?.succeeded("files");
    } catch (error) {
      this.#health?.failed("files", error);
      throw toStorageFault(error, `Job's ${part} could not be stored`);
    }
  }

  async #readFile(id: string, part: JobPart): Promise<Uint8Array<ArrayBuffer>> {
    try {
      return await this.#files.read(id, part) ?? NO_BYTES;
    } catch (error) {
      throw toStorageFault(error, `Job's ${part} could not be read`);
    }
  }

  #read<T>(body: () => T): T {
    try {
      return body();
    } catch (error) {
      this.#health?.failed("database", error);
      throw toStorageFault(error, "Jobs could not be read");
    }
  }
}

function matches(row: Row, { state, functionId }: JobFilter): boolean {
  return (state === undefined || row["state"] === state) &&
    (functionId === undefined || row["function_id"] === functionId);
}

function positionOf(row: Row | undefined): ListPosition {
  return row === undefined
    ? { createdUnixMs: 0, id: "" }
    : { createdUnixMs: numberOf(row, "created_unix_ms"), id: textOf(row, "id") };
}

function bytesOf(row: Row | undefined): Uint8Array<ArrayBuffer> | undefined {
  const bytes = row?.["bytes"];
  return bytes instanceof Uint8Array ? bytes as Uint8Array<ArrayBuffer> : undefined;
}

function toKept(row: Row): KeptJobs {
  return { tenant: textOf(row, "tenant"), count: numberOf(row, "count"), bytes: numberOf(row, "bytes") };
}
