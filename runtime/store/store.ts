/**
 * Store: the parts of durable state, opened and closed together.
 *
 * Owns the interface and the error of a store that does not open. It chooses no implementation (the
 * composition root does). Invariant: whoever opened a store disposes it, after everything that uses it.
 */
import type { BlobStore } from "./blob_store.ts";
import type { JobStore } from "./job_store.ts";
import type { RecordStore } from "./record_store.ts";
import type { StoreHealth } from "./store_health.ts";

/** An open store. Disposing it gives the data to the next process. */
export interface Store extends AsyncDisposable {
  readonly blobs: BlobStore;
  readonly records: RecordStore;
  readonly jobs: JobStore;
  readonly health: StoreHealth;
}

/**
 * Why a store does not open. The message is for the operator, names the place as it was configured, and ends with what
 * can be done, where we know.
 */
export class StoreOpenError extends Error {
  override readonly name = "StoreOpenError";

  constructor(message: string, advice: string, options?: ErrorOptions) {
    super(advice === "" ? message : `${message}. ${advice}`, options);
  }
}
