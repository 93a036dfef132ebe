/**
 * Store: the parts of durable state, opened and closed together.
 *
 * Owns the interface and the error of a store that does not open. It chooses no implementation (the
 * composition root does). Invariant: whoever opened a store disposes it, after everything that uses it.
 */
import type { BlobStore } from "./blob_store.ts";
import type { JobStore } from "./job_store.ts";
import type { RecordStore } from "./record_store.ts";

/** An open store. Disposing it gives the data to the next process. */
export interface Store extends AsyncDisposable {
  readonly blobs: BlobStore;
  readonly records: RecordStore;
  readonly jobs: JobStore;
}

/** Why a store does not open. The message is for the operator and names the place as it was configured. */
export class StoreOpenError extends Error {
  override readonly name = "StoreOpenError";
}
