/**
 * Limits of the runtime with their defaults: one flat, frozen record with the unit in every name.
 *
 * Owns defaults and ranges only; config.ts reads them from flags, environment and file. Invariant: every
 * refusal names the limit, its value and the actual value, by `limitMessage`.
 */

/** All limits. Sizes in bytes, times in milliseconds, counts as such. */
export interface Limits {
  /** Largest request body (HTTP contract: 64 MiB). */
  readonly bodyBytesMax: number;
  /** Most bytes of request bodies that the gateway holds at a time. */
  readonly bodiesBytesMax: number;
  /** Most bytes of large answers that clients have not read yet; over it the slowest are broken off. */
  readonly answersBytesMax: number;
  /** Largest JSON body of an invocation: the gateway parses it on its event loop, so it must stay small. */
  readonly jsonBodyBytesMax: number;
  /** Largest module in its binary form. */
  readonly moduleBytesMax: number;
  /** Most bytes of a module's imports and exports in their stored form: names, kinds and signatures. */
  readonly factsBytesMax: number;
  /** Largest linear memory that a module may declare or grow to. */
  readonly memoryBytesMax: number;
  /** Largest table, in elements, that a module may declare or grow to. */
  readonly tableElementsMax: number;
  /** Stack of a guest. */
  readonly stackBytesMax: number;
  /** JavaScript heap of a cell, where the objects of WebAssembly GC live; all guests of the cell share it. */
  readonly heapBytesMax: number;
  /** Resident memory over which a cell is drained and replaced; at half as much again it is killed. */
  readonly cellMemoryBytesMax: number;
  /** Longest function name, in bytes of UTF-8. */
  readonly nameBytesMax: number;
  /** Most arguments of one call. */
  readonly argsCountMax: number;
  /** Default and largest deadline of one call, queueing included. */
  readonly deadlineMs: number;
  /** Most fuel of one call, about one unit an instruction executed; 0 is no limit. */
  readonly fuelMax: number;
  /** How long a guest runs before the other calls of its cell have their turn. */
  readonly timeSliceMs: number;
  /** How long a cell may owe the answer to a ping before it is killed and replaced. */
  readonly pingTimeoutMs: number;
  /** Most bytes that a guest may write as its output. */
  readonly outputBytesMax: number;
  /** Most bytes of one `emit-chunk`. */
  readonly chunkBytesMax: number;
  /** Most bytes and most chunks of one streamed output. */
  readonly streamBytesMax: number;
  readonly streamChunksMax: number;
  /** How much of one stream may be under way to a client that does not read; at least two chunks. */
  readonly streamWindowBytes: number;
  /** Most streams at a time, of all tenants together. */
  readonly streamsMax: number;
  /** How long a client may take to read the rest of a stream whose guest has ended, or to read on in an answer. */
  readonly streamDrainMs: number;
  /** Most bytes that a guest's in-memory files may hold together. */
  readonly fileBytesMax: number;
  /** Most calls that wait for a cell, of all tenants together. */
  readonly queueDepthMax: number;
  /** Most calls of one tenant that run at a time; more of them wait. */
  readonly concurrentCallsMax: number;
  /** Most calls of one tenant that wait. */
  readonly queuedCallsMax: number;
  /** Most log lines of one call; the rest are counted and named in one line. */
  readonly guestLogLinesMax: number;
  /**
   * Most log lines a second of all calls of one function of one tenant, in the long run, and at once after a
   * quiet while; the rest are counted and told of.
   */
  readonly guestLogLinesPerSecondMax: number;
  readonly guestLogLinesBurstMax: number;
  /** Longest log line of a guest, in bytes; the rest is cut. */
  readonly guestLogLineBytesMax: number;
  /** Most functions of one tenant. */
  readonly functionsPerTenantMax: number;
  /** Device memory of one call, buffers and windows together. */
  readonly gpuMemoryBytesMax: number;
  /** Device memory of all calls of one tenant on a GPU, in all of its cells. */
  readonly gpuTenantMemoryBytesMax: number;
  /** A tenant's part of a GPU's time, beside the weights of others that want it. */
  readonly gpuWeight: number;
  /** Largest device buffer. */
  readonly gpuAllocationBytesMax: number;
  /** Device allocations of one call that live at a time. */
  readonly gpuAllocationsMax: number;
  /** Kernels of one call, and its streams and events together. */
  readonly gpuKernelsMax: number;
  readonly gpuStreamsMax: number;
  /** Largest PTX of one load, and all that a call has loaded. */
  readonly ptxBytesMax: number;
  readonly ptxTotalBytesMax: number;
  /** Longest name of a kernel's entry. */
  readonly gpuEntryNameBytesMax: number;
  /** Argument records of one launch, and their bytes. */
  readonly gpuArgsCountMax: number;
  readonly gpuArgsBytesMax: number;
  /** Longest text of a guest's last GPU error; the rest is cut. */
  readonly gpuErrorBytesMax: number;
  /** Most jobs that wait, of all tenants together, and of one. */
  readonly jobsQueuedMax: number;
  readonly jobsQueuedPerTenantMax: number;
  /** Most jobs that run at a time, of all tenants together, and of one: the rest of the slots is for others. */
  readonly jobsRunningMax: number;
  readonly jobsRunningPerTenantMax: number;
  /** Most bytes of the inputs of jobs that have not ended, of all tenants together, and of one. */
  readonly jobInputsBytesMax: number;
  readonly jobInputsPerTenantBytesMax: number;
  /** Largest deadline of a job, from the start of its run. The default is `deadlineMs`. */
  readonly jobDeadlineMsMax: number;
  /** How long a job may wait for its turn, restarts of the gateway included. */
  readonly jobQueueMsMax: number;
  /** Most runs of a job that may run again after an interruption. */
  readonly jobAttemptsMax: number;
  /** Finished jobs that are kept: how many, for how long, and how many bytes of records and outputs. */
  readonly jobsKeptMax: number;
  readonly jobKeptMsMax: number;
  readonly jobsKeptBytesMax: number;
  /** Longest `?wait=` for a job. */
  readonly jobWaitMsMax: number;
  /** Most requests that wait for or follow jobs at a time, of all tenants together, and of one. */
  readonly jobWatchersMax: number;
  readonly jobWatchersPerTenantMax: number;
}

const MIB = 1024 * 1024;

/** The defaults, those of the reference where it names one. */
export const DEFAULT_LIMITS: Limits = Object.freeze({
  bodyBytesMax: 64 * MIB,
  bodiesBytesMax: 512 * MIB,
  answersBytesMax: 1024 * MIB,
  jsonBodyBytesMax: MIB,
  moduleBytesMax: 64 * MIB,
  factsBytesMax: MIB,
  memoryBytesMax: 256 * MIB,
  tableElementsMax: 1_000_000,
  stackBytesMax: MIB,
  heapBytesMax: 512 * MIB,
  cellMemoryBytesMax: 2048 * MIB,
  nameBytesMax: 256,
  argsCountMax: 256,
  deadlineMs: 30_000,
  fuelMax: 0,
  timeSliceMs: 1,
  pingTimeoutMs: 5_000,
  outputBytesMax: 64 * MIB,
  chunkBytesMax: 64 * 1024,
  streamBytesMax: 64 * MIB,
  streamChunksMax: 1_000_000,
  streamWindowBytes: 256 * 1024,
  streamsMax: 256,
  streamDrainMs: 30_000,
  fileBytesMax: 64 * MIB,
  queueDepthMax: 4096,
  concurrentCallsMax: 512,
  queuedCallsMax: 1024,
  guestLogLinesMax: 100,
  guestLogLinesPerSecondMax: 1_000,
  guestLogLinesBurstMax: 5_000,
  guestLogLineBytesMax: 4096,
  functionsPerTenantMax: 10_000,
  gpuMemoryBytesMax: 4096 * MIB,
  gpuTenantMemoryBytesMax: 8192 * MIB,
  gpuWeight: 100,
  gpuAllocationBytesMax: 256 * MIB,
  gpuAllocationsMax: 4096,
  gpuKernelsMax: 256,
  gpuStreamsMax: 256,
  ptxBytesMax: 8 * MIB,
  ptxTotalBytesMax: 512 * MIB,
  gpuEntryNameBytesMax: 256,
  gpuArgsCountMax: 128,
  gpuArgsBytesMax: 4096,
  gpuErrorBytesMax: 512,
  jobsQueuedMax: 100_000,
  jobsQueuedPerTenantMax: 20_000,
  jobsRunningMax: 32,
  jobsRunningPerTenantMax: 16,
  jobInputsBytesMax: 1024 * MIB,
  jobInputsPerTenantBytesMax: 256 * MIB,
  jobDeadlineMsMax: 600_000,
  jobQueueMsMax: 3_600_000,
  jobAttemptsMax: 3,
  jobsKeptMax: 50_000,
  jobKeptMsMax: 86_400_000,
  jobsKeptBytesMax: 1024 * MIB,
  jobWaitMsMax: 60_000,
  jobWatchersMax: 20_000,
  jobWatchersPerTenantMax: 12_000,
});

/** The sentence of every limit refusal: what, which limit, its value, the actual value. */
export function limitMessage(what: string, limit: string, max: number, actual: number): string {
  return `${what}: ${limit} is ${max}, got ${actual}`;
}
