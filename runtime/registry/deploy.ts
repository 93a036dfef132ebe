/**
 * Deploy: a checked module becomes a function, once, durably, or not at all.
 *
 * Owns the order of a deploy and what makes two requests the same. It does not inspect or link modules (a cell
 * did, and its facts come along). Invariant: the blob is durable before the record that refers to it, and
 * one digest is deployed or removed by one at a time; so every record has its blob.
 */
import type { Clock } from "../model/clock.ts";
import { fault } from "../model/fault.ts";
import { checkFunctionName, type FunctionRecord } from "../model/function_record.ts";
import { limitMessage, type Limits } from "../model/limits.ts";
import type { ModuleFacts } from "../model/module_facts.ts";
import { digestOf } from "../store/blob_store.ts";
import type { Idempotency, InsertResult } from "../store/record_store.ts";
import type { Store } from "../store/store.ts";
import type { KeyedMutex } from "./keyed_mutex.ts";

/** A module to deploy. */
export interface DeployRequest {
  readonly tenant: string;
  readonly name: string;
  /** The module as it was sent. Left unchanged by the caller until the deploy is done. */
  readonly bytes: Uint8Array;
  /** What inspection found in `bytes`. */
  readonly facts: ModuleFacts;
  /** The caller's key: the same request under the same key deploys once, while that function is there. */
  readonly idempotencyKey?: string;
}

/** What a deploy led to. */
export interface Deployed {
  readonly record: FunctionRecord;
  /** True when an earlier request with the same key had made the function. */
  readonly replayed: boolean;
}

/** What a deploy works with. */
export interface DeployTools {
  readonly store: Store;
  readonly limits: Limits;
  readonly clock: Clock;
  /** A new id: a lower-case UUID that was never given out. */
  readonly newId: () => string;
  /** One holder per digest; shared with whatever removes blobs. */
  readonly digestMutex: KeyedMutex;
}

const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/;

/**
 * Deploys a module.
 *
 * @throws RuntimeFault `invalid_name`, `module_too_large`, `bad_request` (the key is malformed),
 * `idempotency_conflict`, `tenant_capacity_exhausted`, `internal` (the storage failed)
 */
export async function deployFunction(request: DeployRequest, tools: DeployTools): Promise<Deployed> {
  checkRequest(request, tools.limits);
  const digest = await digestOf(request.bytes);
  const idempotency = await toIdempotency(request, digest);
  refuseEarly(request.tenant, idempotency, tools);
  const result = await tools.digestMutex.run(digest, () => storeBoth(request, digest, idempotency, tools));
  return toDeployed(result, tools.limits);
}

function checkRequest(request: DeployRequest, limits: Limits): void {
  checkFunctionName(request.name, limits);
  const { length } = request.bytes;
  if (length > limits.moduleBytesMax) {
    throw fault(
      "module_too_large",
      limitMessage("Module is too large", "moduleBytesMax", limits.moduleBytesMax, length),
    );
  }
  if (request.idempotencyKey !== undefined && !IDEMPOTENCY_KEY.test(request.idempotencyKey)) {
    throw fault("bad_request", "Idempotency-Key must be 1 to 255 visible ASCII characters");
  }
}

/** The name and the module make the request what it is; the tenant is part of the key's own scope. */
async function toIdempotency(request: DeployRequest, digest: string): Promise<Idempotency | undefined> {
  if (request.idempotencyKey === undefined) return undefined;
  const text = JSON.stringify([request.name, digest]);
  return { key: request.idempotencyKey, requestDigest: await digestOf(new TextEncoder().encode(text)) };
}

/** Spares the disk a module that the transaction would refuse. The transaction decides nevertheless. */
function refuseEarly(tenant: string, idempotency: Idempotency | undefined, tools: DeployTools): void {
  const { records } = tools.store;
  if (idempotency !== undefined) {
    const known = records.findIdempotency(tenant, idempotency.key);
    if (known !== undefined) {
      if (known.requestDigest !== idempotency.requestDigest) throw keyConflict();
      return;
    }
  }
  const functionsCount = records.countFunctions(tenant);
  if (functionsCount >= tools.limits.functionsPerTenantMax) throw tenantFull(functionsCount, tools.limits);
}

async function storeBoth(
  request: DeployRequest,
  digest: string,
  idempotency: Idempotency | undefined,
  tools: DeployTools,
): Promise<InsertResult> {
  const { blobs, records } = tools.store;
  let inserted = false;
  try {
    await blobs.put(request.bytes);
    const entry = {
      id: tools.newId(),
      tenant: request.tenant,
      name: request.name,
      digest,
      moduleBytes: request.bytes.length,
      createdUnixMs: Math.floor(tools.clock.nowMs()),
      facts: request.facts,
    };
    const conditions = { functionsCountMax: tools.limits.functionsPerTenantMax };
    const result = await records.insertFunction(
      entry,
      idempotency === undefined ? conditions : { ...conditions, idempotency },
    );
    inserted = result.type === "inserted";
    return result;
  } finally {
    // A failure here would hide the one above; opening the store removes what is left.
    if (!inserted) await removeUnreferencedBlob(digest, tools.store).catch(() => {});
  }
}

/** Removes a blob that no record refers to; true when it did. Only by the holder of the digest's mutex. */
export async function removeUnreferencedBlob(digest: string, store: Store): Promise<boolean> {
  if (store.records.isReferenced(digest)) return false;
  return await store.blobs.remove(digest);
}

function toDeployed(result: InsertResult, limits: Limits): Deployed {
  switch (result.type) {
    case "inserted":
      return { record: result.record, replayed: false };
    case "replayed":
      return { record: result.record, replayed: true };
    case "key_conflict":
      throw keyConflict();
    case "tenant_full":
      throw tenantFull(result.functionsCount, limits);
  }
}

function keyConflict(): Error {
  return fault("idempotency_conflict", "Idempotency-Key was used before with another request");
}

function tenantFull(functionsCount: number, limits: Limits): Error {
  return fault(
    "tenant_capacity_exhausted",
    limitMessage(
      "Tenant has too many functions",
      "functionsPerTenantMax",
      limits.functionsPerTenantMax,
      functionsCount + 1,
    ),
  );
}
