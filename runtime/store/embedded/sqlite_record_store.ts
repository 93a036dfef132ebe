/**
 * SqliteRecordStore: functions and idempotency keys in the embedded database.
 *
 * Owns the statements, prepared once. It opens and closes no database; its writes are gathered with those of others
 * (group_commit.ts). Invariant: an insert takes the key's and the tenant's condition, the version and both rows in one
 * transaction.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { FunctionRecord, FunctionSummary } from "../../model/function_record.ts";
import { invariant } from "../../model/invariant.ts";
import type {
  IdempotencyEntry,
  InsertConditions,
  InsertResult,
  ListPosition,
  NewFunction,
  RecordStore,
} from "../record_store.ts";
import { toStorageFault } from "../storage_failure.ts";
import type { StoreHealth } from "../store_health.ts";
import {
  fromFunctionRow,
  fromSummaryRow,
  FUNCTION_COLUMNS,
  numberOf,
  type Row,
  SUMMARY_COLUMNS,
  textOf,
  toFunctionValues,
} from "./function_row.ts";
import type { GroupCommit } from "./group_commit.ts";

/** Records in a database that `openDatabase` gave. */
export class SqliteRecordStore implements RecordStore {
  readonly #statements: Statements;
  readonly #group: GroupCommit;
  readonly #health: StoreHealth | undefined;

  constructor(database: DatabaseSync, group: GroupCommit, health?: StoreHealth) {
    this.#health = health;
    this.#statements = prepareStatements(database);
    this.#group = group;
  }

  insertFunction(entry: NewFunction, conditions: InsertConditions): Promise<InsertResult> {
    return this.#write("Function could not be stored", () => this.#insert(entry, conditions));
  }

  removeFunction(id: string): Promise<boolean> {
    return this.#write(
      "Function could not be deleted",
      () => this.#statements.removeById.run(id).changes !== 0,
    );
  }

  findFunction(id: string): FunctionRecord | undefined {
    return this.#read(() => toRecord(this.#statements.findById.get(id)));
  }

  findFunctionByName(tenant: string, name: string, version?: number): FunctionRecord | undefined {
    return this.#read(() =>
      toRecord(
        version === undefined
          ? this.#statements.findLatest.get(tenant, name)
          : this.#statements.findVersion.get(tenant, name, version),
      )
    );
  }

  listFunctions(tenant: string, countMax: number, after?: ListPosition): readonly FunctionSummary[] {
    return this.#read(() => {
      const rows = after === undefined
        ? this.#statements.listFirst.all(tenant, countMax)
        : this.#statements.listAfter.all(tenant, after.createdUnixMs, after.id, countMax);
      return rows.map(fromSummaryRow);
    });
  }

  countFunctions(tenant: string): number {
    return this.#read(() => this.#count(tenant));
  }

  isReferenced(digest: string): boolean {
    return this.#read(() => this.#statements.findDigest.get(digest) !== undefined);
  }

  findIdempotency(tenant: string, key: string): IdempotencyEntry | undefined {
    return this.#read(() => this.#findKey(tenant, key));
  }

  #insert(entry: NewFunction, conditions: InsertConditions): InsertResult {
    const { idempotency } = conditions;
    if (idempotency !== undefined) {
      const known = this.#findKey(entry.tenant, idempotency.key);
      if (known !== undefined) return this.#replay(known, idempotency.requestDigest);
    }
    const functionsCount = this.#count(entry.tenant);
    if (functionsCount >= conditions.functionsCountMax) return { type: "tenant_full", functionsCount };
    const version = this.#takeVersion(entry.tenant, entry.name);
    const record: FunctionRecord = { ...entry, version };
    this.#statements.insert.run(...toFunctionValues(record));
    if (idempotency !== undefined) {
      const { key, requestDigest } = idempotency;
      this.#statements.insertKey.run(entry.tenant, key, requestDigest, entry.id);
    }
    return { type: "inserted", record };
  }

  #replay(known: IdempotencyEntry, requestDigest: string): InsertResult {
    if (known.requestDigest !== requestDigest) return { type: "key_conflict" };
    const record = toRecord(this.#statements.findById.get(known.functionId));
    invariant(record !== undefined, "An idempotency key outlived its function");
    return { type: "replayed", record };
  }

  #takeVersion(tenant: string, name: string): number {
    const row = this.#statements.takeVersion.get(tenant, name);
    invariant(row !== undefined, "A version was not given out");
    return numberOf(row, "version_last");
  }

  #count(tenant: string): number {
    const row = this.#statements.count.get(tenant);
    invariant(row !== undefined, "A count had no row");
    return numberOf(row, "functions_count");
  }

  #findKey(tenant: string, key: string): IdempotencyEntry | undefined {
    const row = this.#statements.findKey.get(tenant, key);
    if (row === undefined) return undefined;
    return { requestDigest: textOf(row, "request_digest"), functionId: textOf(row, "function_id") };
  }

  #read<T>(body: () => T): T {
    try {
      return body();
    } catch (error) {
      this.#health?.failed("database", error);
      throw toStorageFault(error, "Functions could not be read");
    }
  }

  async #write<T>(what: string, body: () => T): Promise<T> {
    try {
      return await this.#group.add(body);
    } catch (error) {
      throw toStorageFault(error, what);
    }
  }
}

interface Statements {
  readonly insert: StatementSync;
  readonly takeVersion: StatementSync;
  readonly insertKey: StatementSync;
  readonly removeById: StatementSync;
  readonly findById: StatementSync;
  readonly findLatest: StatementSync;
  readonly findVersion: StatementSync;
  readonly listFirst: StatementSync;
  readonly listAfter: StatementSync;
  readonly count: StatementSync;
  readonly findDigest: StatementSync;
  readonly findKey: StatementSync;
}

function prepareStatements(database: DatabaseSync): Statements {
  const select = `SELECT ${FUNCTION_COLUMNS} FROM functions`;
  const selectSummary = `SELECT ${SUMMARY_COLUMNS} FROM functions`;
  const ofName = "WHERE tenant = ? AND name = ?";
  const byCreation = "ORDER BY created_unix_ms, id LIMIT ?";
  return {
    insert: database.prepare(`INSERT INTO functions (${FUNCTION_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`),
    takeVersion: database.prepare(
      "INSERT INTO function_names (tenant, name, version_last) VALUES (?, ?, 1) " +
        "ON CONFLICT (tenant, name) DO UPDATE SET version_last = version_last + 1 RETURNING version_last",
    ),
    insertKey: database.prepare(
      "INSERT INTO idempotency_keys (tenant, key, request_digest, function_id) VALUES (?, ?, ?, ?)",
    ),
    removeById: database.prepare("DELETE FROM functions WHERE id = ?"),
    findById: database.prepare(`${select} WHERE id = ?`),
    findLatest: database.prepare(`${select} ${ofName} ORDER BY version DESC LIMIT 1`),
    findVersion: database.prepare(`${select} ${ofName} AND version = ?`),
    listFirst: database.prepare(`${selectSummary} WHERE tenant = ? ${byCreation}`),
    listAfter: database.prepare(
      `${selectSummary} WHERE tenant = ? AND (created_unix_ms, id) > (?, ?) ${byCreation}`,
    ),
    count: database.prepare("SELECT count(*) AS functions_count FROM functions WHERE tenant = ?"),
    findDigest: database.prepare("SELECT 1 FROM functions WHERE digest = ? LIMIT 1"),
    findKey: database.prepare(
      "SELECT request_digest, function_id FROM idempotency_keys WHERE tenant = ? AND key = ?",
    ),
  };
}

function toRecord(row: Row | undefined): FunctionRecord | undefined {
  return row === undefined ? undefined : fromFunctionRow(row);
}
