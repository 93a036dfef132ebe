/**
 * FunctionPage: a tenant's functions, a page at a time.
 *
 * Owns the form of a page request and of its cursor. It reads nothing. Invariant: a cursor is a position, not
 * a snapshot: what was there before the first page and is still there appears once.
 */
import { fault } from "../model/fault.ts";
import type { FunctionSummary } from "../model/function_record.ts";
import type { ListPosition } from "../store/record_store.ts";

/** What a caller asks of a list. */
export interface PageRequest {
  /** Most functions of the page, 1 to 1000; 100 when absent. */
  readonly limit?: number;
  /** `nextCursor` of the page before. */
  readonly cursor?: string;
}

/** One page, by creation time, then id. */
export interface FunctionPage {
  readonly functions: readonly FunctionSummary[];
  /** Present when there is more. */
  readonly nextCursor?: string;
}

const PAGE_LIMIT_MAX = 1000;
const PAGE_LIMIT_DEFAULT = 100;
/** A creation time, which the registry floors to whole milliseconds, then an id. */
const CURSOR = /^([0-9]{1,15})_([0-9a-f-]{36})$/;

/**
 * The limit of a page.
 *
 * @throws RuntimeFault `bad_request` when it is out of range or no integer
 */
export function pageLimit(limit: number = PAGE_LIMIT_DEFAULT): number {
  if (!Number.isInteger(limit) || limit < 1 || limit > PAGE_LIMIT_MAX) {
    throw fault("bad_request", `Page limit is out of range: must be 1 to ${PAGE_LIMIT_MAX}, got ${limit}`);
  }
  return limit;
}

/**
 * The position that a cursor stands for; none without a cursor.
 *
 * @throws RuntimeFault `bad_request` when it is no cursor of ours
 */
export function parseCursor(cursor: string | undefined): ListPosition | undefined {
  if (cursor === undefined) return undefined;
  const [, created, id] = CURSOR.exec(cursor) ?? [];
  if (created === undefined || id === undefined) throw fault("bad_request", "Page cursor is malformed");
  return { createdUnixMs: Number(created), id };
}

/** The cursor of a place; the next page begins after it. */
export function toCursor(record: ListPosition): string {
  return `${record.createdUnixMs}_${record.id}`;
}
