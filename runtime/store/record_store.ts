/**
 * RecordStore: functions and idempotency keys, written in transactions.
 *
 * Owns the interface. Reads are synchronous and local, because the path of every invocation begins with
 * one; an implementation over a network keeps a watched mirror for them. Writes are promises that settle
 * when the change is durable. Invariant: a version of (tenant, name) is given out once, deleted or not.
 */
import type { FunctionRecord, FunctionSummary } from "../model/function_record.ts";

/** A function about to be stored: everything but the version, which the store assigns. */
export type NewFunction = Omit<FunctionRecord, "version">;

/** What a caller sent to make a repeated deploy harmless. */
export interface Idempotency {
  /** The caller's key; unique within the tenant. */
  readonly key: string;
  /** Digest of everything that makes the request what it is. */
  readonly requestDigest: string;
}

/** Conditions of an insert, checked in its transaction. */
export interface InsertConditions {
  /** Most functions that the tenant may have after the insert. */
  readonly functionsCountMax: number;
  readonly idempotency?: Idempotency;
}

/** What became of an insert. Only `inserted` changed anything. */
export type InsertResult =
  | { readonly type: "inserted"; readonly record: FunctionRecord }
  | { readonly type: "replayed"; readonly record: FunctionRecord }
  | { readonly type: "key_conflict" }
  | { readonly type: "tenant_full"; readonly functionsCount: number };

/** What an idempotency key stands for. */
export interface IdempotencyEntry {
  readonly requestDigest: string;
  readonly functionId: string;
}

/** A place in a tenant's list: the page begins after the function with these two. */
export interface ListPosition {
  readonly createdUnixMs: number;
  readonly id: string;
}

/**
 * Functions and idempotency keys. Every method throws RuntimeFault `internal` when the storage fails;
 * tests/contract/store_contract.ts is the full description of the behaviour.
 */
export interface RecordStore {
  /**
   * Inserts a function with the next version of its (tenant, name), and its idempotency key with it. A
   * key that is known answers `replayed` or `key_conflict` before any other condition is looked at.
   */
  insertFunction(entry: NewFunction, conditions: InsertConditions): Promise<InsertResult>;
  /** Deletes a function and the idempotency key that made it; true when there was one. */
  removeFunction(id: string): Promise<boolean>;
  /** The function with this id, of any tenant. */
  findFunction(id: string): FunctionRecord | undefined;
  /** The function of a name: that version, or without one the highest that is there. */
  findFunctionByName(tenant: string, name: string, version?: number): FunctionRecord | undefined;
  /** Summaries of at most `countMax` functions of a tenant by creation time, then id, beginning after `after`. */
  listFunctions(tenant: string, countMax: number, after?: ListPosition): readonly FunctionSummary[];
  /** How many functions the tenant has. */
  countFunctions(tenant: string): number;
  /** Whether any function of any tenant has these bytes. */
  isReferenced(digest: string): boolean;
  /** What a tenant's idempotency key stands for, as long as its function is there. */
  findIdempotency(tenant: string, key: string): IdempotencyEntry | undefined;
}
