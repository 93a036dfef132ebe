/**
 * Invocation: one call of one export, complete and frozen, whatever front door it came by.
 *
 * Owns the shape. HTTP requests become one in the gateway; the executor turns it into an Execution.
 * Invariant: nobody behind the Invocation reaches back to the request it came from.
 */
import type { FunctionRecord } from "./function_record.ts";
import type { TypedValue } from "./module_facts.ts";
import type { Outcome } from "./outcome.ts";
import type { Usage } from "./usage.ts";
import type { ValueType } from "./value_type.ts";

/** How a call learns that nobody waits for it any more. */
export interface Cancellation {
  /** Calls `callback` once if the client leaves before the answer. */
  onCancel(callback: () => void): void;
}

/** Where a call's output goes while it runs. The executor writes it, whoever made the invocation reads it. */
export interface OutputStream {
  /** How much it takes before it has given any room back, by the account of stream_window.ts. */
  readonly windowBytes: number;
  /** Whether a chunk has come: from then on the call must not be run a second time. */
  readonly hasBegun: boolean;
  /** The call is on its way to a cell, which `credit` tells of room for more. */
  open(credit: (bytes: number) => void): void;
  /** Takes a chunk, the first one with the content type that the guest set; false if there is no room for it. */
  take(chunk: Uint8Array<ArrayBuffer>, contentType: string | undefined): boolean;
}

/** One call. */
export interface Invocation {
  readonly tenant: string;
  readonly function: FunctionRecord;
  readonly export: string;
  readonly args: readonly TypedValue[];
  readonly resultTypes: readonly ValueType[];
  /** Staged as `read-input` and WASI stdin. */
  readonly input: Uint8Array;
  /** WASI arguments after the program's name. */
  readonly programArgs: readonly string[];
  /** WASI environment as `NAME=value`. */
  readonly environment: readonly string[];
  /** The call's whole budget, queueing included, and the instant it ends on the Clock's scale. */
  readonly deadlineMs: number;
  readonly deadlineAtMs: number;
  /** Present: the budget counts from when the call has a slot, and `deadlineAtMs` bounds only the wait for one. */
  readonly deadlineFrom?: "slot";
  readonly cancellation?: Cancellation;
  /** Takes the output chunk by chunk; without it the Execution has the output. */
  readonly stream?: OutputStream;
  /** Whether the caller allows that it runs twice when a process dies under it. */
  readonly idempotent?: boolean;
}

/** How an invocation went. */
export interface Execution {
  readonly outcome: Outcome;
  readonly output: Uint8Array;
  readonly contentType: string | undefined;
  /** What it used. */
  readonly usage: Usage;
  /** Chunks of a stream that were refused to the guest with a code. */
  readonly chunksRejected?: number;
  /** Time spent waiting for a cell. */
  readonly queueMs: number;
  /** Whether the cell had to be sent the module first. */
  readonly cold: boolean;
}
