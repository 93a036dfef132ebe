/**
 * Composition root: builds every room in order, serves, and takes everything down in reverse.
 *
 * Owns construction, the listening socket and the graceful drain; no logic of its own besides their order.
 * Invariant: after `drain` or disposal no process, socket, timer or lock of the runtime is left, and every
 * finished span and log line has been handed to its sink.
 */
import { startTelemetry, watchProcess } from "../telemetry/mod.ts";
import type { LogOutput, Telemetry } from "../telemetry/mod.ts";
import type { RuntimeConfig } from "./config.ts";
import { Artifacts } from "./executor/artifacts.ts";
import { openCells } from "./executor/cells.ts";
import type { Cells } from "./executor/cells.ts";
import { Executor } from "./executor/executor.ts";
import { planGpu } from "./executor/find_gpu.ts";
import { keepGauges, together } from "./executor/gauges.ts";
import { GuestLines } from "./executor/guest_lines.ts";
import { GpuMetering } from "./executor/gpu_metering.ts";
import { instrumenterGeneration } from "./executor/instrumenter_generation.ts";
import { findLauncher } from "./executor/launcher.ts";
import { findLoaderPaths } from "./executor/loader_paths.ts";
import { Metering } from "./executor/metering.ts";
import { removeLeftSockets, socketPrefixOf } from "./executor/socket_folders.ts";
import { TenantTable } from "./executor/tenant_series.ts";
import { Answers } from "./gateway/answers.ts";
import { createApp } from "./gateway/app.ts";
import { BodyBudget } from "./gateway/body_budget.ts";
import { ClosedPeers } from "./gateway/closed_peers.ts";
import type { Connection } from "./gateway/closed_peers.ts";
import { ConnectionTables } from "./gateway/connection_tables.ts";
import { Lifecycle } from "./gateway/lifecycle.ts";
import { Listener } from "./gateway/listener.ts";
import { StreamBroken } from "./gateway/stream/stream_body.ts";
import { Streams } from "./gateway/stream/streams.ts";
import { Jobs } from "./jobs/jobs.ts";
import type { Clock } from "./model/clock.ts";
import { systemClock } from "./model/clock.ts";
import { FunctionRegistry } from "./registry/functions.ts";
import { findRevision } from "./revision.ts";
import { ArtifactFiles } from "./store/embedded/artifact_files.ts";
import { openEmbeddedStore } from "./store/embedded/embedded_store.ts";
import { TraceFiles } from "./store/embedded/trace_files.ts";
import type { Store } from "./store/store.ts";
import { VERSION } from "./version.ts";

/** How long a client that stalls is waited for at least, so that answers just given can leave. */
const STALLED_MS_MIN = 250;

/** How long a call that is stopped may take to be answered: its cell looks at it once in a time slice. */
const CANCEL_MS_MAX = 1_000;

export type { LogOutput } from "../telemetry/mod.ts";

/** What a runtime is given besides its configuration. */
export interface RuntimeOptions {
  readonly config: RuntimeConfig;
  /** Where log lines go. */
  readonly output: LogOutput;
  readonly clock?: Clock;
}

/** A running runtime. */
export interface Runtime extends AsyncDisposable {
  /** The HTTP API as a standard handler. */
  readonly fetch: (request: Request) => Response | Promise<Response>;
  /** Starts listening; returns the address. */
  listen(): Deno.NetAddr;
  /** Readiness off, calls in flight finished, cells ended, spans flushed, store closed. */
  drain(): Promise<void>;
  /** Hands the log lines so far to the output and waits, synchronously, at most so long until they are out. */
  flushLog(timeoutMs: number): void;
  /** Has the log begin anew after a rotation, where it can, and exporters read their files again. */
  reload(): Promise<void>;
  /** Logs an error that nobody caught, and gives spans and lines so long to leave; the process is to end then. */
  fail(error: unknown, timeoutMs: number): Promise<void>;
}

/** Builds and starts a runtime; resolves when its first cell is ready. */
export async function createRuntime(options: RuntimeOptions): Promise<Runtime> {
  const { config, clock = systemClock } = options;
  await using stack = new AsyncDisposableStack();
  const telemetry = stack.use(
    startTelemetry({ ...config.telemetry, serviceRevision: findRevision() }, options.output),
  );
  const { metrics } = telemetry;
  stack.use(watchProcess(metrics));
  const store = stack.use(await openEmbeddedStore(config.dataFolder));
  watchStore(store, telemetry);
  await keepTraces(telemetry, config, stack);
  const deployed = metrics.counter("tensor_wasm_functions_total", {});
  const registry = stack.use(
    new FunctionRegistry({
      store,
      clock,
      limits: config.limits,
      limitsOf: config.limitsOf,
      newId: () => crypto.randomUUID(),
      onDeployed: () => deployed.inc(),
      cachedModulesBytesMax: config.moduleCacheBytesMax,
    }),
  );
  const launcher = await findLauncher();
  const socketPrefix = socketPrefixOf(store.folderId);
  await removeLeftSockets(socketPrefix);
  const plan = await planGpu({
    choice: config.gpu,
    driverPaths: await driverPathsOf(config),
    environment: config.cellEnvironment,
    launcher,
    socketPrefix,
    clock,
  }, telemetry);
  const tenants = new TenantTable({
    metrics,
    clock,
    device: plan.kind,
    tenantsMax: config.metricTenantsMax,
    idleMs: config.metricTenantIdleMs,
  });
  const cells = openCells({ ...config, launcher, socketPrefix, plan }, clock, telemetry, tenants);
  stack.defer(() => cells.kill("closed"));
  await cells.pool.open();
  const lifecycle = new Lifecycle();
  const readiness = {
    cells: (): boolean => cells.pool.isReady,
    storeFailure: (): string | undefined => store.health.failure?.phrase,
  };
  stack.defer(keepGauges(metrics, {
    pool: cells.gpu === undefined ? cells.pool : together(cells.pool, cells.gpu),
    tenants,
    suspectCount: () => cells.quarantine.count,
    readiness: () => ({
      lifecycle: lifecycle.phase === "serving",
      cells: readiness.cells(),
      store: readiness.storeFailure() === undefined,
    }),
  }));
  const instrumentSeconds = metrics.histogram("tensor_wasm_module_instrument_seconds", {});
  const lookups = {
    memory: metrics.counter("tensor_wasm_artifact_lookups_total", { result: "memory" }),
    disk: metrics.counter("tensor_wasm_artifact_lookups_total", { result: "disk" }),
    made: metrics.counter("tensor_wasm_artifact_lookups_total", { result: "made" }),
  };
  const artifacts = new Artifacts({
    workshop: cells.workshop,
    moduleBytes: (digest) => registry.moduleBytes(digest),
    bytesMax: config.moduleCacheBytesMax,
    kept: await openKeptArtifacts(config),
    onLookup: (result) => lookups[result].inc(),
    onPrepared: (ms) => instrumentSeconds.observe(ms / 1000, telemetry.tracer.activeIds()),
  });
  const streams = new Streams(config.limits.streamsMax, metrics);
  // They tell how they ended before telemetry ends.
  stack.defer(() => streams.abort());
  const gpuMetering = new GpuMetering(
    metrics,
    plan.kind,
    plan.fallback === undefined ? "configured" : "no_gpu",
  );
  const executor = new Executor({
    pool: cells.pool,
    gpuCells: cells.gpu,
    gpuShares: cells.gpuShares,
    artifacts,
    quarantine: cells.quarantine,
    metering: new Metering(metrics, tenants),
    gpuMetering,
    limitsOf: config.limitsOf,
    clock,
    telemetry,
    guestLines: stack.use(new GuestLines({ telemetry, clock, limitsOf: config.limitsOf })),
  });
  const jobs = stack.use(
    new Jobs({
      store: store.jobs,
      executor,
      findFunction: (id, tenant) => registry.get({ type: "id", id }, tenant),
      telemetry,
      clock,
      limits: config.limits,
      limitsOf: config.limitsOf,
      newId: () => crypto.randomUUID(),
      enter: () => lifecycle.enter(),
      isBusy: () => cells.pool.counts().queueDepth > 0,
    }),
  );
  await jobs.open();
  const connectionTables = stack.use(new ConnectionTables());
  const app = createApp({
    telemetry,
    clock,
    limits: config.limits,
    limitsOf: config.limitsOf,
    requireTenant: config.requireTenant,
    registry,
    executor,
    jobs,
    artifacts,
    lifecycle,
    answers: stack.use(new Answers({ telemetry, clock, limits: config.limits })),
    bodies: new BodyBudget(config.limits),
    closedPeers: stack.use(new ClosedPeers(clock, (take) => connectionTables.read(take))),
    streams,
    device: {
      plan,
      facts: cells.devices,
      cellsByDevice: () => cells.gpu?.countsByDevice() ?? [],
    },
    readiness,
    version: VERSION,
  });
  return new RunningRuntime({
    ...{ config, clock, telemetry, lifecycle, cells, executor, jobs },
    fetch: (request, connection) => app.fetch(request, connection === undefined ? {} : { connection }),
    stack: stack.move(),
  });
}

/** Traces of earlier runs come back. A disk that refuses them is no reason not to start. */
async function keepTraces(
  telemetry: Telemetry,
  { dataFolder, telemetry: { traces } }: RuntimeConfig,
  stack: AsyncDisposableStack,
): Promise<void> {
  if (telemetry.traces === undefined || traces.writeBytesPerSecondMax === 0) return;
  try {
    const files = await TraceFiles.open(dataFolder, traces.bytesMax);
    stack.defer(async () => {
      await telemetry.traces?.close();
      await files[Symbol.asyncDispose]();
    });
    await telemetry.traces.keepIn(files);
  } catch (error) {
    telemetry.metrics.counter("tensor_wasm_trace_store_dropped_total", { reason: "disk_failed" }).inc();
    telemetry.processLog("tensor_wasm").warn("traces.not_kept", { error });
  }
}

/** Instrumented modules of earlier runs, for as long as the instrumenter is the same. */
async function openKeptArtifacts(config: RuntimeConfig): Promise<ArtifactFiles | undefined> {
  const generation = await instrumenterGeneration();
  if (generation === undefined) return undefined;
  // They can be made again: a disk that refuses is no reason not to start.
  return await ArtifactFiles.open(config.dataFolder, generation, config.moduleCacheBytesMax)
    .catch(() => undefined);
}

/** Where a driver is looked for. What knows of devices is fetched only where one may be. */
async function driverPathsOf(
  { gpu: { device, driverPath, loaderFolders } }: RuntimeConfig,
): Promise<readonly string[]> {
  if (driverPath !== undefined) return [driverPath];
  if (device !== "auto" && device !== "cuda") return [];
  const { driverPaths } = await import("../gpu/mod.ts");
  return driverPaths(undefined, await findLoaderPaths(loaderFolders));
}

/** Tells the operator when the store does not take what it is given, and when it does again. */
function watchStore({ health }: Store, telemetry: Telemetry): void {
  const log = telemetry.processLog("tensor_wasm");
  health.listen({
    failed: ({ part, phrase, error, isFinal }) => {
      log.error("store.failed", { part, reason: phrase, restart_needed: isFinal, error });
    },
    recovered: (part) => log.info("store.recovered", { part }),
  });
}

type Fetch = (request: Request, connection?: Connection) => Response | Promise<Response>;

/** What a running runtime serves with and takes down. */
interface RunningParts {
  readonly config: RuntimeConfig;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly lifecycle: Lifecycle;
  readonly cells: Cells;
  readonly executor: Executor;
  readonly jobs: Jobs;
  readonly fetch: Fetch;
  /** Ends everything, the latest first. */
  readonly stack: AsyncDisposableStack;
}

class RunningRuntime implements Runtime {
  readonly #parts: RunningParts;
  #listener: Listener | undefined;
  #drained: Promise<void> | undefined;

  constructor(parts: RunningParts) {
    this.#parts = parts;
  }

  readonly fetch = (request: Request): Response | Promise<Response> => this.#parts.fetch(request);

  listen(): Deno.NetAddr {
    const { config: { hostname, port }, clock, telemetry, fetch } = this.#parts;
    const log = telemetry.processLog("tensor_wasm");
    try {
      this.#listener = new Listener({
        ...{ hostname, port, clock, answer: fetch },
        answerBug: (error) => this.#answerBug(error),
        failed: (error) => log.error("listener.failed", { error }),
        recovered: () => log.info("listener.recovered", {}),
      });
    } catch (error) {
      const reason = error instanceof Deno.errors.AddrInUse
        ? "the address is already in use; --addr takes another, port 0 any free one"
        : String(error);
      throw new Error(`Cannot listen on ${hostname}:${port}: ${reason}`, { cause: error });
    }
    return this.#listener.addr;
  }

  /** What the router did not answer; the server asks for it for bodies that break off as well. */
  #answerBug(error: unknown): Response {
    if (!(error instanceof StreamBroken)) {
      this.#parts.telemetry.log("tensor_wasm").error("server.failed", { error });
    }
    return new Response(null, { status: 500 });
  }

  drain(): Promise<void> {
    this.#drained ??= this.#drain();
    return this.#drained;
  }

  flushLog(timeoutMs: number): void {
    this.#parts.telemetry.flushLog(timeoutMs);
  }

  async reload(): Promise<void> {
    this.#parts.telemetry.reopenLog();
    await this.#parts.telemetry.reload();
  }

  async fail(error: unknown, timeoutMs: number): Promise<void> {
    this.#parts.telemetry.processLog("tensor_wasm").error("process.failed", { error });
    await this.#parts.telemetry.flush(timeoutMs);
    this.#parts.telemetry.flushLog(timeoutMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }

  async #drain(): Promise<void> {
    const { config, clock, telemetry, lifecycle, cells, executor, jobs, stack } = this.#parts;
    const log = telemetry.processLog("tensor_wasm");
    lifecycle.markUnready();
    log.info("drain.started", { in_flight: lifecycle.inFlight });
    if (config.drainDelayMs > 0) await this.#pause(config.drainDelayMs);
    lifecycle.markDraining();
    const timeoutAtMs = clock.nowMs() + config.drainTimeoutMs;
    await Promise.race([lifecycle.idle(), this.#pause(config.drainTimeoutMs)]);
    const abandoned = lifecycle.inFlight;
    log[abandoned === 0 ? "info" : "warn"]("drain.finished", { abandoned });
    const stopped = this.#listener?.shutdown() ?? Promise.resolve();
    // Calls that outlasted the timeout are stopped and answered; what does not stop ends with its cell. A
    // client that stalls, with its request half sent or its answer half read, has what is left of the timeout,
    // and then is cut off.
    jobs.endWatches();
    executor.cancelAll();
    if (abandoned > 0) await Promise.race([lifecycle.idle(), this.#pause(CANCEL_MS_MAX)]);
    await cells.kill("closed");
    const patienceMs = Math.max(STALLED_MS_MIN, timeoutAtMs - clock.nowMs());
    // Not awaited beyond that: a server whose shutdown has begun cannot be aborted in this Deno. Its last
    // connections end with the process.
    await Promise.race([stopped, this.#pause(patienceMs)]);
    await stack.disposeAsync();
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#parts.clock.after(delayMs, resolve);
    });
  }
}
