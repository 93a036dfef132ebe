/**
 * FunctionRow: a function as the embedded database has it.
 *
 * Owns the columns and the way back to a record. Invariant: a row that is not what this program wrote
 * becomes a fault, never a record with holes.
 */
import type { SQLOutputValue } from "node:sqlite";
import { fault } from "../../model/fault.ts";
import type { FunctionRecord, FunctionSummary } from "../../model/function_record.ts";
import type { ModuleFacts } from "../../model/module_facts.ts";

/** The columns of a function, in the order of `toFunctionValues`. */
export const FUNCTION_COLUMNS = "id, tenant, name, version, digest, module_bytes, created_unix_ms, facts";

/** The columns of a summary. */
export const SUMMARY_COLUMNS = "id, tenant, name, version, digest, module_bytes, created_unix_ms";

/** A row as SQLite hands it out. */
export type Row = Readonly<Record<string, SQLOutputValue>>;

/** The values of a record in the order of FUNCTION_COLUMNS. */
export function toFunctionValues(record: FunctionRecord): readonly (string | number)[] {
  return [
    record.id,
    record.tenant,
    record.name,
    record.version,
    record.digest,
    record.moduleBytes,
    record.createdUnixMs,
    JSON.stringify(record.facts),
  ];
}

/**
 * The record of a row.
 *
 * @throws RuntimeFault `internal` when a column is not of its type
 */
export function fromFunctionRow(row: Row): FunctionRecord {
  return { ...fromSummaryRow(row), facts: parseFacts(textOf(row, "facts")) };
}

/**
 * The summary of a row.
 *
 * @throws RuntimeFault `internal` when a column is not of its type
 */
export function fromSummaryRow(row: Row): FunctionSummary {
  return {
    id: textOf(row, "id"),
    tenant: textOf(row, "tenant"),
    name: textOf(row, "name"),
    version: numberOf(row, "version"),
    digest: textOf(row, "digest"),
    moduleBytes: numberOf(row, "module_bytes"),
    createdUnixMs: numberOf(row, "created_unix_ms"),
  };
}

/** A text column. */
export function textOf(row: Row, column: string): string {
  const value = row[column];
  if (typeof value !== "string") throw damagedRow();
  return value;
}

/** A number column. */
export function numberOf(row: Row, column: string): number {
  const value = row[column];
  if (typeof value !== "number") throw damagedRow();
  return value;
}

/** Only this program writes the column, so its inner shape is taken as it was written. */
function parseFacts(text: string): ModuleFacts {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw damagedRow(error);
  }
}

function damagedRow(cause?: unknown): Error {
  return fault("internal", "Stored function is damaged", { cause });
}
