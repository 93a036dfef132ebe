/**
 * FunctionCache: records in memory in front of the record store, so that an invocation starts with a look
 * into a Map.
 *
 * Owns the two indexes, by id and by name, and their bounds. It writes nothing. Invariant: it is filled only
 * from a read of the store in the same turn, and emptied of a record in the turn in which a change of it is
 * acknowledged; so nothing that a caller was told is contradicted.
 */
import type { FunctionRecord } from "../model/function_record.ts";
import type { ModuleFacts } from "../model/module_facts.ts";
import type { RecordStore } from "../store/record_store.ts";
import { LruCache } from "../model/lru_cache.ts";

/** Bounds of the cache; each index has them for itself. */
export interface FunctionCacheBounds {
  /** Most records. */
  readonly countMax: number;
  /** Most memory of their facts, roughly: a module can have a million exports. */
  readonly bytesMax: number;
}

/** Cached finders of a record store. */
export class FunctionCache {
  readonly #records: RecordStore;
  readonly #byId: LruCache<string, FunctionRecord>;
  readonly #byName: LruCache<string, FunctionRecord>;

  constructor(records: RecordStore, bounds: FunctionCacheBounds) {
    const { countMax, bytesMax: weightMax } = bounds;
    this.#records = records;
    this.#byId = new LruCache({ countMax, weightMax });
    this.#byName = new LruCache({ countMax, weightMax });
  }

  /** As `RecordStore.findFunction`. */
  findFunction(id: string): FunctionRecord | undefined {
    const cached = this.#byId.get(id);
    if (cached !== undefined) return cached;
    const record = this.#records.findFunction(id);
    if (record !== undefined) this.#byId.set(id, record, recordBytes(record));
    return record;
  }

  /** As `RecordStore.findFunctionByName`. */
  findFunctionByName(tenant: string, name: string, version?: number): FunctionRecord | undefined {
    const key = nameKey(tenant, name, version);
    const cached = this.#byName.get(key);
    if (cached !== undefined) return cached;
    const record = this.#records.findFunctionByName(tenant, name, version);
    if (record !== undefined) this.#byName.set(key, record, recordBytes(record));
    return record;
  }

  /** Forgets what an insert or a removal of `record` may have changed: its id, its version, the latest. */
  forget(record: FunctionRecord): void {
    this.#byId.delete(record.id);
    this.#byName.delete(nameKey(record.tenant, record.name, record.version));
    this.#byName.delete(nameKey(record.tenant, record.name));
  }
}

/** Unambiguous whatever the texts hold: a length, that many units of tenant, digits, an @, the name. */
function nameKey(tenant: string, name: string, version?: number): string {
  return `${tenant.length}:${tenant}${version ?? ""}@${name}`;
}

/** Rough sizes in V8 with pointers of 8 bytes: an object with its type and lists, a unit of text. */
const ENTRY_BYTES = 200;
const TEXT_UNIT_BYTES = 2;

/** An estimate, from above for usual modules, of the memory that a record takes. */
function recordBytes(record: FunctionRecord): number {
  return ENTRY_BYTES + TEXT_UNIT_BYTES * (record.name.length + record.tenant.length) +
    factsBytes(record.facts);
}

function factsBytes(facts: ModuleFacts): number {
  let bytes = ENTRY_BYTES * (facts.memories.length + facts.tables.length);
  for (const entry of facts.imports) {
    bytes += ENTRY_BYTES + TEXT_UNIT_BYTES * (entry.module.length + entry.name.length) +
      typeBytes(entry.type);
  }
  for (const entry of facts.exports) {
    bytes += ENTRY_BYTES + TEXT_UNIT_BYTES * entry.name.length + typeBytes(entry.type);
  }
  return bytes;
}

function typeBytes(type: ModuleFacts["exports"][number]["type"]): number {
  return type === undefined ? 0 : 8 * (type.params.length + type.results.length);
}
