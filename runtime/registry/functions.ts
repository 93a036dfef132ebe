/**
 * FunctionRegistry: the functions of all tenants, found, listed, deployed and removed.
 *
 * Owns the caches in front of the store and who may see what. It does not own the store (whoever opened it
 * disposes it afterwards), inspects no module and logs nothing. Invariant: a name is resolved only within its
 * tenant, and what was acknowledged is what the next `get` sees.
 */
import type { Clock } from "../model/clock.ts";
import { fault } from "../model/fault.ts";
import type { FunctionRecord, FunctionRef } from "../model/function_record.ts";
import type { Limits } from "../model/limits.ts";
import type { LimitsOf } from "../model/tenant_limits.ts";
import type { Store } from "../store/store.ts";
import {
  type Deployed,
  deployFunction,
  type DeployRequest,
  type DeployTools,
  removeUnreferencedBlob,
} from "./deploy.ts";
import { FunctionCache } from "./function_cache.ts";
import { type FunctionPage, pageLimit, type PageRequest, parseCursor, toCursor } from "./function_page.ts";
import { KeyedMutex } from "./keyed_mutex.ts";
import { ModuleCache } from "./module_cache.ts";

/** What a registry is made of. */
export interface FunctionRegistryOptions {
  readonly store: Store;
  readonly limits: Limits;
  /** The limits of each tenant, where they have their own. */
  readonly limitsOf?: LimitsOf;
  readonly clock: Clock;
  /** A new id: a lower-case UUID that was never given out. */
  readonly newId: () => string;
  /** Told of every version that was stored. */
  readonly onDeployed?: () => void;
  /** Most records kept in memory, by id and by name each; 10,000 when absent. */
  readonly cachedRecordsCountMax?: number;
  /** Most bytes of facts kept with those records, roughly, for each; 64 MiB when absent. */
  readonly cachedRecordsBytesMax?: number;
  /** Most bytes of modules kept in memory; 256 MiB when absent. */
  readonly cachedModulesBytesMax?: number;
}

/** What a removal led to. The function is gone in every case. */
export interface Removed {
  readonly record: FunctionRecord;
  /**
   * `removed`: the module went with its last function; `kept`: another function has the same bytes;
   * `left`: the storage refused, and the next opening of the store removes it.
   */
  readonly blob: "removed" | "kept" | "left";
}

const MIB = 1024 * 1024;
const CACHED_RECORDS_COUNT = 10_000;
const CACHED_RECORDS_BYTES = 64 * MIB;
const CACHED_MODULES_BYTES = 256 * MIB;

/** The deployed functions. Disposing it waits for deploys and removals under way and refuses new ones. */
export class FunctionRegistry implements AsyncDisposable {
  readonly #tools: DeployTools;
  readonly #limitsOf: LimitsOf;
  readonly #functions: FunctionCache;
  readonly #modules: ModuleCache;
  readonly #onDeployed: (() => void) | undefined;
  readonly #changes = new Set<Promise<unknown>>();
  #stopping = false;

  constructor(options: FunctionRegistryOptions) {
    const { store, limits, clock, newId } = options;
    this.#tools = { store, limits, clock, newId, digestMutex: new KeyedMutex() };
    this.#limitsOf = options.limitsOf ?? (() => limits);
    this.#onDeployed = options.onDeployed;
    this.#functions = new FunctionCache(store.records, {
      countMax: options.cachedRecordsCountMax ?? CACHED_RECORDS_COUNT,
      bytesMax: options.cachedRecordsBytesMax ?? CACHED_RECORDS_BYTES,
    });
    this.#modules = new ModuleCache(store.blobs, options.cachedModulesBytesMax ?? CACHED_MODULES_BYTES);
  }

  /**
   * Deploys a module as the next version of its name.
   *
   * @throws RuntimeFault what `deployFunction` throws; `capacity_exhausted` after disposal
   */
  deploy(request: DeployRequest): Promise<Deployed> {
    return this.#change(async () => {
      const limits = this.#limitsOf(request.tenant);
      const deployed = await deployFunction(request, { ...this.#tools, limits });
      this.#functions.forget(deployed.record);
      if (!deployed.replayed) this.#onDeployed?.();
      return deployed;
    });
  }

  /**
   * The function that a caller of `tenant` means by `ref`; a name without a version is its latest. Usually
   * a look into a Map, otherwise a read of some 10 µs.
   *
   * @throws RuntimeFault `not_found`, `tenant_scope_denied` (the id is another tenant's), `internal` (the
   * storage failed)
   */
  get(ref: FunctionRef, tenant: string): FunctionRecord {
    const record = ref.type === "id"
      ? this.#functions.findFunction(ref.id)
      : this.#functions.findFunctionByName(tenant, ref.name, ref.version);
    if (record === undefined) throw this.#notFound(ref);
    if (record.tenant !== tenant) {
      throw fault("tenant_scope_denied", `Function ${this.#print(ref)} belongs to another tenant`);
    }
    return record;
  }

  /**
   * The bytes of a deployed module. The array is shared: it may be neither changed nor transferred.
   *
   * @throws RuntimeFault `not_found` (its last function was removed), `internal` (missing, damaged or
   * unreadable)
   */
  async moduleBytes(digest: string): Promise<Uint8Array> {
    const bytes = await this.#modules.findModule(digest);
    if (bytes !== undefined) return bytes;
    if (this.#tools.store.records.isReferenced(digest)) {
      throw fault("internal", `Stored module ${digest} is missing`);
    }
    throw fault("not_found", `No function has the module ${digest}`);
  }

  /**
   * A page of a tenant's functions by creation time, then id.
   *
   * @throws RuntimeFault `bad_request` (limit or cursor), `internal` (the storage failed)
   */
  list(tenant: string, page: PageRequest = {}): FunctionPage {
    const limit = pageLimit(page.limit);
    const position = parseCursor(page.cursor);
    // One more than asked for tells whether there is a next page.
    const found = this.#tools.store.records.listFunctions(tenant, limit + 1, position);
    const functions = found.slice(0, limit);
    const last = functions.at(-1);
    return found.length > limit && last !== undefined
      ? { functions, nextCursor: toCursor(last) }
      : { functions };
  }

  /**
   * Removes the one function that `ref` means, and its module when no other function has the same bytes.
   * After the removal of a name's latest version, the name means the version before it.
   *
   * @throws RuntimeFault as `get`; `capacity_exhausted` after disposal
   */
  remove(ref: FunctionRef, tenant: string): Promise<Removed> {
    return this.#change(async () => {
      const record = this.get(ref, tenant);
      return await this.#tools.digestMutex.run(record.digest, () => this.#removeBoth(record, ref));
    });
  }

  /** Waits for deploys and removals under way, then gives up the memory. The store stays open. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping = true;
    await Promise.allSettled(this.#changes);
    this.#modules.clear();
  }

  async #removeBoth(record: FunctionRecord, ref: FunctionRef): Promise<Removed> {
    const { store } = this.#tools;
    const removed = await store.records.removeFunction(record.id);
    this.#functions.forget(record);
    if (!removed) throw this.#notFound(ref);
    try {
      if (!await removeUnreferencedBlob(record.digest, store)) return { record, blob: "kept" };
    } catch {
      return { record, blob: "left" };
    }
    this.#modules.forget(record.digest);
    return { record, blob: "removed" };
  }

  async #change<T>(body: () => Promise<T>): Promise<T> {
    if (this.#stopping) throw fault("capacity_exhausted", "Gateway is stopping");
    const change = body();
    this.#changes.add(change);
    try {
      return await change;
    } finally {
      this.#changes.delete(change);
    }
  }

  #notFound(ref: FunctionRef): Error {
    return fault("not_found", `No function ${this.#print(ref)}`);
  }

  /** A reference as the caller wrote it, cut where no name can be longer. */
  #print(ref: FunctionRef): string {
    const text = printRef(ref);
    const unitsMax = this.#tools.limits.nameBytesMax;
    return text.length > unitsMax ? `${text.slice(0, unitsMax).toWellFormed()}…` : text.toWellFormed();
  }
}

function printRef(ref: FunctionRef): string {
  if (ref.type === "id") return ref.id;
  return ref.version === undefined ? ref.name : `${ref.name}@${ref.version}`;
}
