/**
 * Composition root: builds every room in order, serves, and takes everything down in reverse.
 *
 * Owns construction, the listening socket and the graceful drain; no logic of its own besides their order.
 * Invariant: after `drain` or disposal no process, socket, timer or lock of the runtime is left, and every
 * finished span and log line has been handed to its sink.
 */
import { startTelemetry } from "../telemetry/mod.ts";
import type { Telemetry } from "../telemetry/mod.ts";
import type { RuntimeConfig } from "./config.ts";
import { CellPool } from "./executor/cell_pool.ts";
import { CellProcess } from "./executor/cell_process.ts";
import { Executor } from "./executor/executor.ts";
import { observePool } from "./executor/pool_telemetry.ts";
import { createApp } from "./gateway/app.ts";
import { BodyBudget } from "./gateway/body_budget.ts";
import { Lifecycle } from "./gateway/lifecycle.ts";
import type { Clock } from "./model/clock.ts";
import { systemClock } from "./model/clock.ts";
import { FunctionRegistry } from "./registry/functions.ts";
import { openEmbeddedStore } from "./store/embedded/embedded_store.ts";
import type { Store } from "./store/store.ts";
import { VERSION } from "./version.ts";

/** How long a client that stalls is waited for at least, so that answers just given can leave. */
const STALLED_MS_MIN = 250;

/** What a runtime is given besides its configuration. */
export interface RuntimeOptions {
  readonly config: RuntimeConfig;
  /** Receives log lines, whole, newline included, and must write them before it returns. */
  readonly writeLog: (bytes: Uint8Array) => void;
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
}

/** Builds and starts a runtime; resolves when its first cell is ready. */
export async function createRuntime(options: RuntimeOptions): Promise<Runtime> {
  const { config, clock = systemClock } = options;
  await using stack = new AsyncDisposableStack();
  const telemetry = stack.use(startTelemetry(config.telemetry, { write: options.writeLog }));
  telemetry.metrics.gauge("tensor_wasm_build_info", {
    version: VERSION,
    deno_version: Deno.version.deno,
    v8_version: Deno.version.v8,
    target: Deno.build.target,
  }).set(1);
  const store = stack.use(await openEmbeddedStore(config.dataFolder));
  const registry = stack.use(
    new FunctionRegistry({
      store,
      clock,
      limits: config.limits,
      newId: () => crypto.randomUUID(),
      cachedModulesBytesMax: config.moduleCacheBytesMax,
    }),
  );
  const launcher = await findLauncher();
  const pool = new CellPool({
    cellsMin: config.cellsMin,
    cellsMax: config.cellsMax,
    callsPerCellMax: config.callsPerCellMax,
    queueDepthMax: config.limits.queueDepthMax,
    clock,
    observer: observePool(telemetry),
    startCell: (id) =>
      CellProcess.start({
        id,
        launcher,
        limits: config.limits,
        clock,
        moduleBytesMax: config.moduleCacheBytesMax,
        environment: config.cellEnvironment,
      }),
  });
  stack.defer(() => pool.kill("closed"));
  await pool.open();
  const lifecycle = new Lifecycle();
  const executor = new Executor({
    pool,
    clock,
    telemetry,
    moduleBytes: (digest) => registry.moduleBytes(digest),
  });
  const app = createApp({
    telemetry,
    clock,
    limits: config.limits,
    requireTenant: config.requireTenant,
    registry,
    executor,
    lifecycle,
    bodies: new BodyBudget(config.limits),
    poolCounts: () => pool.counts(),
    readiness: { cells: () => pool.isReady, store: () => answers(store) },
    version: VERSION,
  });
  return new RunningRuntime(config, telemetry, lifecycle, pool, app.fetch, clock, stack.move());
}

/**
 * A spinning guest never looks at its socket, so a cell cannot notice by itself that the gateway was killed.
 * Linux can tell it (PR_SET_PDEATHSIG, prctl(2)), and util-linux has the program that asks for it.
 */
async function findLauncher(): Promise<readonly string[]> {
  const setpriv = "/usr/bin/setpriv";
  try {
    if (Deno.build.os === "linux" && (await Deno.stat(setpriv)).isFile) {
      return [setpriv, "--pdeathsig", "KILL", "--"];
    }
  } catch {
    // Not there: cells of a killed gateway end when their running call does.
  }
  return [];
}

/** True if the store can be read; the question itself is as cheap as one gets. */
function answers(store: Store): boolean {
  try {
    store.records.isReferenced("");
    return true;
  } catch {
    return false;
  }
}

type Fetch = (request: Request) => Response | Promise<Response>;

class RunningRuntime implements Runtime {
  readonly #config: RuntimeConfig;
  readonly #telemetry: Telemetry;
  readonly #lifecycle: Lifecycle;
  readonly #pool: CellPool<CellProcess>;
  readonly #fetch: Fetch;
  readonly #clock: Clock;
  readonly #stack: AsyncDisposableStack;
  #server: Deno.HttpServer<Deno.NetAddr> | undefined;
  #drained: Promise<void> | undefined;

  constructor(
    config: RuntimeConfig,
    telemetry: Telemetry,
    lifecycle: Lifecycle,
    pool: CellPool<CellProcess>,
    fetch: Fetch,
    clock: Clock,
    stack: AsyncDisposableStack,
  ) {
    this.#config = config;
    this.#telemetry = telemetry;
    this.#lifecycle = lifecycle;
    this.#pool = pool;
    this.#fetch = fetch;
    this.#clock = clock;
    this.#stack = stack;
  }

  readonly fetch = (request: Request): Response | Promise<Response> => this.#fetch(request);

  listen(): Deno.NetAddr {
    const { hostname, port } = this.#config;
    try {
      this.#server = Deno.serve(
        { hostname, port, onListen: () => {} },
        (request) => this.#fetch(request),
      );
    } catch (error) {
      const reason = error instanceof Deno.errors.AddrInUse ? "the address is already in use" : String(error);
      throw new Error(`Cannot listen on ${hostname}:${port}: ${reason}`, { cause: error });
    }
    return this.#server.addr;
  }

  drain(): Promise<void> {
    this.#drained ??= this.#drain();
    return this.#drained;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }

  async #drain(): Promise<void> {
    const log = this.#telemetry.log("tensor_wasm");
    this.#lifecycle.markUnready();
    log.info("drain.started", { in_flight: this.#lifecycle.inFlight });
    if (this.#config.drainDelayMs > 0) await this.#pause(this.#config.drainDelayMs);
    this.#lifecycle.markDraining();
    const timeoutAtMs = this.#clock.nowMs() + this.#config.drainTimeoutMs;
    await Promise.race([this.#lifecycle.idle(), this.#pause(this.#config.drainTimeoutMs)]);
    const abandoned = this.#lifecycle.inFlight;
    log[abandoned === 0 ? "info" : "warn"]("drain.finished", { abandoned });
    const stopped = this.#server?.shutdown() ?? Promise.resolve();
    // Calls that outlasted the timeout are answered when their cells end. A client that stalls, with its
    // request half sent or its answer half read, has what is left of the timeout, and then is cut off.
    await this.#pool.kill("closed");
    const patienceMs = Math.max(STALLED_MS_MIN, timeoutAtMs - this.#clock.nowMs());
    // Not awaited beyond that: a server whose shutdown has begun cannot be aborted in this Deno. Its last
    // connections end with the process.
    await Promise.race([stopped, this.#pause(patienceMs)]);
    await this.#stack.disposeAsync();
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.after(delayMs, resolve);
    });
  }
}
