/**
 * Artifacts: instrumented modules by digest and by the limits that are written into them.
 *
 * Owns the cache, the single flight and the way through a workshop cell, where modules are examined and
 * instrumented apart from the cells that serve calls. What it keeps can always be made again from the module. Invariants: an artifact is made once at a time; it is never made on the gateway's thread.
 */
import { fault, fromFaultRecord, RuntimeFault } from "../model/fault.ts";
import type { FaultCode } from "../model/fault.ts";
import type { Limits } from "../model/limits.ts";
import { LruCache } from "../model/lru_cache.ts";
import type { ModuleFacts } from "../model/module_facts.ts";
import type { CellPool } from "./cell_pool.ts";
import type { CellProcess } from "./cell_process.ts";
import { KILLED_AT_DEADLINE } from "./cell_process.ts";

/** Most modules of one tenant that are worked on, and that wait, at a time. */
const WORKSHOP_CALLS_PER_TENANT_MAX = 2;
const WORKSHOP_QUEUED_PER_TENANT_MAX = 64;

/** A module ready to be sent to a cell. */
export interface Artifact {
  /** Names the module and the limits in it. */
  readonly key: string;
  readonly bytes: Uint8Array;
}

/** A deploy body that was found good. */
export interface PreparedModule {
  /** Present when the body was JSON. */
  readonly name: string | undefined;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly facts: ModuleFacts;
  readonly instrumented: Uint8Array<ArrayBuffer>;
}

/** A cache that outlives the process. Neither function rejects. */
export interface ArtifactKeeper {
  read(key: string): Promise<Uint8Array | undefined>;
  write(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
}

/** What artifacts are made with. */
export interface ArtifactsOptions {
  readonly workshop: CellPool<CellProcess>;
  /** The bytes of a module by its digest. */
  readonly moduleBytes: (digest: string) => Promise<Uint8Array>;
  /** Most bytes that are kept in memory. */
  readonly bytesMax: number;
  /** Told where a call's artifact was. */
  readonly onLookup?: (result: "memory" | "disk" | "made") => void;
  /** Told how long the workshop took to examine and instrument a module. */
  readonly onPrepared?: (ms: number) => void;
  /** Keeps them beyond a restart; it may forget. */
  readonly kept?: ArtifactKeeper | undefined;
}

/** Whom work in the workshop is for. */
export interface WorkOrder {
  readonly tenant: string;
  readonly limits: Limits;
  readonly deadlineMs: number;
  readonly deadlineAtMs: number;
}

const ORDER_FAULTS: ReadonlySet<FaultCode> = new Set([
  "invoke_timeout",
  "capacity_exhausted",
  "tenant_capacity_exhausted",
  "module_too_large",
]);

/** Makes and keeps artifacts. */
export class Artifacts {
  readonly #options: ArtifactsOptions;
  readonly #kept: LruCache<string, Artifact>;
  readonly #making = new Map<string, Promise<Artifact>>();

  constructor(options: ArtifactsOptions) {
    this.#options = options;
    this.#kept = new LruCache({ countMax: Infinity, weightMax: options.bytesMax });
  }

  /** The key under which a module with these limits runs. */
  keyOf(digest: string, limits: Limits): string {
    return `${digest} ${limits.memoryBytesMax} ${limits.tableElementsMax}`;
  }

  /** The artifact of a module, if it is at hand. */
  find(key: string): Artifact | undefined {
    const artifact = this.#kept.get(key);
    if (artifact !== undefined) this.#options.onLookup?.("memory");
    return artifact;
  }

  /** The artifact of a module. @throws RuntimeFault as `prepare` does */
  async make(digest: string, order: WorkOrder): Promise<Artifact> {
    const key = this.keyOf(digest, order.limits);
    for (let underWay = this.#making.get(key); underWay !== undefined; underWay = this.#making.get(key)) {
      try {
        return await underWay;
      } catch (error) {
        if (!isOfOrder(error)) throw error;
      }
    }
    const made = this.#make(digest, key, order).finally(() => this.#making.delete(key));
    this.#making.set(key, made);
    return await made;
  }

  /** Keeps what a deploy has made anyway. */
  keep(digest: string, limits: Limits, bytes: Uint8Array<ArrayBuffer>): Artifact {
    const key = this.keyOf(digest, limits);
    void this.#options.kept?.write(key, bytes);
    return this.#keep({ key, bytes });
  }

  /**
   * Examines and instruments a deploy body.
   *
   * @throws RuntimeFault of the examination, `invoke_timeout` when it takes too long, `cell_lost`, or as a
   * lease does
   */
  async prepare(
    form: "json" | "wasm",
    body: Uint8Array<ArrayBuffer>,
    order: WorkOrder,
  ): Promise<PreparedModule> {
    const { tenant, limits, deadlineMs, deadlineAtMs } = order;
    using lease = await this.#options.workshop.lease({
      tenant,
      deadlineMs,
      deadlineAtMs,
      concurrentCallsMax: WORKSHOP_CALLS_PER_TENANT_MAX,
      queuedCallsMax: WORKSHOP_QUEUED_PER_TENANT_MAX,
    });
    const startMs = performance.now();
    const answer = await lease.cell.prepare({ form, limits }, body, deadlineAtMs);
    this.#options.onPrepared?.(performance.now() - startMs);
    if (answer.type === "died") throw prepareDied(answer.reason, deadlineMs);
    if ("fault" in answer.meta) throw fromFaultRecord(answer.meta.fault);
    const { name, facts, originalBytes } = answer.meta;
    return {
      name,
      facts,
      bytes: form === "json" ? answer.blob.subarray(0, originalBytes) : body,
      // A copy: the view would keep the original in memory for as long as the artifact.
      instrumented: originalBytes === 0 ? answer.blob : answer.blob.slice(originalBytes),
    };
  }

  async #make(digest: string, key: string, order: WorkOrder): Promise<Artifact> {
    const kept = await this.#options.kept?.read(key);
    this.#options.onLookup?.(kept === undefined ? "made" : "disk");
    if (kept !== undefined) return this.#keep({ key, bytes: kept });
    const bytes = await this.#options.moduleBytes(digest);
    const { instrumented } = await this.prepare("wasm", bytes as Uint8Array<ArrayBuffer>, order);
    return this.keep(digest, order.limits, instrumented);
  }

  #keep(artifact: Artifact): Artifact {
    this.#kept.set(artifact.key, artifact, artifact.bytes.length);
    return artifact;
  }
}

/** Whether a failure says nothing of the module: whom it was made for had no time or room left, or smaller limits. */
function isOfOrder(error: unknown): boolean {
  return error instanceof RuntimeFault && ORDER_FAULTS.has(error.code);
}

function prepareDied(reason: string, deadlineMs: number): Error {
  return reason === KILLED_AT_DEADLINE
    ? fault("invoke_timeout", `Module could not be examined within ${deadlineMs} ms`)
    : fault("cell_lost", "The process that examined the module died");
}
