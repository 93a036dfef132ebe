/**
 * CellProcess: one child process, from the gateway's side.
 *
 * Owns the process, its socket, the modules it was sent and the requests it was given. It does not choose
 * what runs where (cell_pool.ts) or judge its health (cell_watch.ts). Invariants: a request resolves exactly
 * once; a death is reported only after everything the cell had answered and printed was read.
 */
import { setImmediate } from "node:timers";
import type { Clock } from "../model/clock.ts";
import type { DeviceFacts } from "../model/gpu.ts";
import { invariant } from "../model/invariant.ts";
import type { FrameReader } from "../wire/frame.ts";
import type { Frame } from "../wire/frame.ts";
import { FrameWriter } from "../wire/frame_writer.ts";
import { FRAME } from "../wire/messages.ts";
import type {
  BucketCounts,
  CallMeta,
  CancelMeta,
  CellLogLine,
  ConfigureMeta,
  CreditMeta,
  DoubtMeta,
  FailingMeta,
  PongMeta,
  PreparedMeta,
  PrepareMeta,
  ResultMeta,
  TenantMemory,
} from "../wire/messages.ts";
import { CellDoubt } from "./cell_doubt.ts";
import { readCellLog, readTail } from "./cell_log.ts";
import { ModuleShelf } from "./module_shelf.ts";
import { RequestTable } from "./request_table.ts";
import type { CellAnswer, RequestFacts } from "./request_table.ts";
import { spawnCell } from "./spawn_cell.ts";
import type { CellOptions, SpawnedCell } from "./spawn_cell.ts";

/** Reported when a cell was killed because a request had had its time and could not be stopped otherwise. */
export const KILLED_AT_DEADLINE = "deadline_elapsed";

/** How long past its deadline a call may be unanswered: a cell that lives stops it within milliseconds. */
const OVERDUE_MS_MAX = 2_000;

/** How long a cell that was told to end may take to close what it has open. */
const END_MS_MAX = 3_000;

const ignoreLine = (): void => {};

/** A call on a module that the cell was sent. */
export interface CellCall {
  /** Of the module's artifact; see `sendModule`. */
  readonly key: string;
  /** Of the module itself: the cell's crash is held against it. */
  readonly digest: string;
  readonly meta: Omit<CallMeta, "module" | "deadlineAtMs">;
  readonly input: Uint8Array;
  /** On the gateway's clock. */
  readonly deadlineAtMs: number;
  /** Gets the guest's log lines, all before the answer. */
  readonly onLine: (line: CellLogLine) => void;
  /** Gets its output if that is streamed, likewise. */
  readonly onChunk: RequestFacts["onChunk"] | undefined;
}

/** A call under way. */
export interface RunningCall {
  readonly answer: Promise<CellAnswer<ResultMeta>>;
  /** Has the cell end it; it is answered as ever. */
  cancel(by: CancelMeta["by"]): void;
  /** Tells the cell of room for more of a streamed output. */
  credit(bytes: number): void;
}

/** A running child process. */
export class CellProcess {
  readonly id: number;
  /** Of a dedicated cell: whose it is, and its GPU. */
  readonly tenant: string | undefined;
  readonly device: string | undefined;
  /** Resolves when the process has ended and everything it had printed was read. */
  readonly ended: Promise<void>;
  readonly #clock: Clock;
  readonly #spawned: SpawnedCell;
  readonly #writer: FrameWriter;
  readonly #shelf: ModuleShelf;
  readonly #requests = new RequestTable();
  readonly #pings = new Map<number, () => void>();
  /** See SpawnedCell; every answer that was under way for less time makes it better. */
  #clockOffsetMs: number;
  #nextRequestId = 1;
  readonly #onDevice: ((device: DeviceFacts) => void) | undefined;
  readonly #onCompiles: ((compiles: BucketCounts) => void) | undefined;
  readonly #onFailing: CellOptions["onFailing"];
  readonly #doubt: CellDoubt;
  readonly #overdueMsMax: number | undefined;
  #residentBytes: number | undefined;
  #gpuMemoryBytes = 0;
  #tenantMemory: readonly TenantMemory[] = [];
  /** Where the last ping ends among the bytes sent. */
  #pingEndBytes = 0;
  #killReason: string | undefined;
  /** Its socket is gone: it is dying, or is made to. The reason is whatever its status says. */
  #disconnected = false;
  #dead = false;
  #deathReason = "";
  #digestsAtDeath: ReadonlySet<string> = new Set();

  /** Starts a process and resolves when it is ready to serve. Rejects if it does not get there. */
  static async start(options: CellOptions): Promise<CellProcess> {
    return new CellProcess(options, await spawnCell(options));
  }

  private constructor(options: CellOptions, spawned: SpawnedCell) {
    this.id = options.id;
    this.#clock = options.clock;
    this.#onDevice = options.onDevice;
    this.#onCompiles = options.onCompiles;
    this.#onFailing = options.onFailing;
    this.#doubt = new CellDoubt(options.clock, () => options.onDoubt?.(this));
    this.#overdueMsMax = options.overdueMsMax;
    this.tenant = options.dedicated?.tenant;
    this.device = options.dedicated === undefined ? undefined : `cuda:${options.dedicated.seat.deviceIndex}`;
    this.#spawned = spawned;
    this.#clockOffsetMs = spawned.clockOffsetMs;
    this.#shelf = new ModuleShelf(options.moduleBytesMax);
    this.#writer = new FrameWriter(
      spawned.connection,
      () => this.#disconnect(),
      // Calls of one turn of the event loop share a system call.
      (drain) => setImmediate(drain),
    );
    const configure: ConfigureMeta = {
      limits: options.limits,
      ...(options.gpu === undefined ? {} : { gpu: options.gpu }),
    };
    this.#writer.send(FRAME.configure, 0, configure);
    const log = readCellLog(spawned.child.stdout, (line) => this.#requests.takeLogLine(line));
    void log.then((wellBehaved) => wellBehaved || this.kill("log_overflow"), () => {});
    const frames = this.#readFrames(spawned.reader);
    this.ended = this.#awaitEnd(frames, log, readTail(spawned.child.stderr));
    // Its answer says which device it has.
    if (options.onDevice !== undefined) void this.ping();
  }

  get pid(): number {
    return this.#spawned.child.pid;
  }

  get isDead(): boolean {
    return this.#dead || this.#disconnected || this.#killReason !== undefined;
  }

  /**
   * Whether its device has failed, or may be about to: a kernel runs past its call's deadline, or a call is
   * unanswered past its own. What is sent to it now may be lost through no fault of its own.
   */
  get isDoubtful(): boolean {
    return this.#doubt.isDoubtful;
  }

  /** Why the process ended; empty while it lives. */
  get deathReason(): string {
    return this.#deathReason;
  }

  /** What was inside when it ended: digests of the modules of unanswered calls. */
  get digestsAtDeath(): ReadonlySet<string> {
    return this.#digestsAtDeath;
  }

  /** Resident memory as of the last ping. */
  get residentBytes(): number | undefined {
    return this.#residentBytes;
  }

  /** Device memory of its calls, likewise. */
  get gpuMemoryBytes(): number {
    return this.#gpuMemoryBytes;
  }

  /**
   * Bytes that went ahead of the last ping and of whatever the cell has sent. What follows the ping does not count:
   * a socket takes some of that also for a cell that reads nothing.
   */
  get movedBytes(): number {
    return Math.min(this.#writer.takenBytes, this.#pingEndBytes) + this.#spawned.source.readBytes;
  }

  /** What tenants' calls hold, likewise. */
  get tenantMemory(): readonly TenantMemory[] {
    return this.#tenantMemory;
  }

  /** Whether the cell has a module, by the key of its artifact. */
  hasModule(key: string): boolean {
    return this.#shelf.has(key);
  }

  /** Sends a module that the cell does not have; drops the least recently used ones over the bound. */
  sendModule(key: string, instrumented: Uint8Array): void {
    const { number, evicted } = this.#shelf.add(key, instrumented.length);
    for (const old of evicted) this.#writer.send(FRAME.forget, old, undefined);
    this.#writer.send(FRAME.module, number, undefined, instrumented);
  }

  /** Runs a call on a module sent before. */
  call({ key, digest, meta, input, deadlineAtMs, onLine, onChunk }: CellCall): RunningCall {
    if (this.isDead) {
      return { answer: Promise.resolve(this.#died()), cancel: () => {}, credit: () => {} };
    }
    const id = this.#nextRequestId++ >>> 0;
    const answer = this.#requests.add(id, {
      ...{ digest, deadlineAtMs, onLine },
      ...(onChunk === undefined ? {} : { onChunk }),
    });
    const full: CallMeta = {
      ...meta,
      module: this.#shelf.use(key),
      deadlineAtMs: deadlineAtMs - this.#clockOffsetMs,
    };
    this.#writer.send(FRAME.call, id, full, input);
    if (this.#overdueMsMax !== undefined) {
      // One that is held up in a driver answers no ping.
      this.#doubt.watch(answer, deadlineAtMs, this.#overdueMsMax, () => this.kill("overdue"));
    }
    return {
      answer: answer as Promise<CellAnswer<ResultMeta>>,
      cancel: (by) => {
        if (!this.isDead) this.#writer.send(FRAME.cancel, id, { by } satisfies CancelMeta);
      },
      credit: (bytes) => {
        if (!this.isDead) this.#writer.send(FRAME.credit, id, { bytes } satisfies CreditMeta);
      },
    };
  }

  /** Has a module examined and instrumented. That cannot be interrupted, so its deadline kills the cell. */
  async prepare(
    meta: PrepareMeta,
    body: Uint8Array,
    deadlineAtMs: number,
  ): Promise<CellAnswer<PreparedMeta>> {
    if (this.isDead) return this.#died();
    const id = this.#nextRequestId++ >>> 0;
    const answer = this.#requests.add(id, { digest: "", deadlineAtMs, onLine: ignoreLine });
    this.#writer.send(FRAME.prepare, id, meta, body);
    const remainingMs = Math.max(0, deadlineAtMs - this.#clock.nowMs());
    const cancelTimer = this.#clock.after(remainingMs, () => this.kill(KILLED_AT_DEADLINE));
    try {
      return await answer as CellAnswer<PreparedMeta>;
    } finally {
      cancelTimer();
    }
  }

  /** Resolves when the cell has answered a ping. Looks for calls that it should have stopped, too. */
  ping(): Promise<void> {
    if (this.#requests.isStuck(this.#clock.nowMs(), OVERDUE_MS_MAX)) this.kill("overdue");
    if (this.isDead) return this.ended;
    const id = this.#nextRequestId++ >>> 0;
    return new Promise((resolve) => {
      this.#pings.set(id, resolve);
      this.#writer.send(FRAME.ping, id, undefined);
      this.#pingEndBytes = this.#writer.takenBytes + this.#writer.backlogBytes;
    });
  }

  /** An instant of the cell's clock on the gateway's; never earlier than it really was. */
  toGatewayMs(cellMs: number): number {
    return cellMs + this.#clockOffsetMs;
  }

  /** Ends the process at once. The first reason given is the one reported. */
  kill(reason: string): void {
    if (this.isDead) return;
    this.#killReason = reason;
    this.#sendKill();
  }

  /**
   * Ends a process in which nothing runs: it sees the end of its socket, closes what it has open and ends. It is
   * killed if it takes long.
   */
  end(reason: string): void {
    if (this.isDead) return;
    this.#killReason = reason;
    const cancel = this.#clock.after(END_MS_MAX, () => this.#sendKill());
    void this.ended.then(cancel);
    this.#spawned.connection.closeWrite().catch(() => this.#sendKill());
  }

  #died(): { readonly type: "died"; readonly reason: string } {
    return { type: "died", reason: this.#deathReason || this.#killReason || "disconnected" };
  }

  #disconnect(): void {
    if (this.isDead) return;
    this.#disconnected = true;
    this.#sendKill();
  }

  #sendKill(): void {
    try {
      this.#spawned.child.kill("SIGKILL");
    } catch {
      // It had ended by itself; #awaitEnd reports that.
    }
  }

  async #readFrames(reader: FrameReader): Promise<void> {
    try {
      for (let frame = await reader.next(); frame !== undefined; frame = await reader.next()) {
        if (!this.#take(frame)) return this.kill("protocol_violation");
      }
    } catch {
      // A broken frame or connection: no more can be read.
    }
    this.#disconnect();
  }

  #take(frame: Frame): boolean {
    switch (frame.type) {
      case FRAME.prepared:
        return this.#requests.answer(frame, 0);
      case FRAME.result: {
        const meta = frame.meta as ResultMeta;
        const endedAtMs = meta.startedAtMs + (meta.spans.at(-1)?.endUs ?? 0) / 1000;
        this.#refineClock(endedAtMs);
        return this.#requests.answer(frame, meta.logLines);
      }
      case FRAME.chunk:
        return this.#requests.takeChunk(frame);
      case FRAME.failing:
        this.#doubt.noteFailure();
        this.#onFailing?.(this, (frame.meta as FailingMeta).reason);
        return this.#onFailing !== undefined;
      case FRAME.doubt:
        this.#doubt.noteKernel((frame.meta as DoubtMeta).isDoubtful);
        return this.tenant !== undefined;
      case FRAME.pong: {
        const { nowMs, residentBytes, gpuMemoryBytes, tenants, compiles, device } = frame.meta as PongMeta;
        this.#refineClock(nowMs);
        this.#residentBytes = residentBytes;
        this.#gpuMemoryBytes = gpuMemoryBytes;
        this.#tenantMemory = tenants;
        if (compiles !== undefined) this.#onCompiles?.(compiles);
        if (device !== undefined) this.#onDevice?.(device);
        const answered = this.#pings.get(frame.id);
        this.#pings.delete(frame.id);
        answered?.();
        return answered !== undefined;
      }
      default:
        return false;
    }
  }

  /** A frame that was made at `cellMs` was just read: the offset is at most the difference. */
  #refineClock(cellMs: number): void {
    this.#clockOffsetMs = Math.min(this.#clockOffsetMs, this.#spawned.source.lastReadMs - cellMs);
  }

  async #awaitEnd(
    frames: Promise<void>,
    log: Promise<boolean>,
    stderrTail: Promise<string>,
  ): Promise<void> {
    const status = await this.#spawned.child.status;
    // What it had answered is still in the socket, and a call whose answer is there is not lost.
    await frames;
    await log.catch(() => false);
    const tail = await stderrTail.catch(() => "");
    this.#dead = true;
    this.#deathReason = this.#killReason ?? describeDeath(status, tail);
    invariant(this.#deathReason !== "", "A death has a reason");
    try {
      this.#spawned.connection.close();
    } catch {
      // The reader closed it when the peer went.
    }
    this.#digestsAtDeath = this.#requests.digests();
    this.#requests.close(this.#deathReason);
    for (const answered of this.#pings.values()) answered();
    this.#pings.clear();
  }
}

/** A word for a death that nobody ordered. */
function describeDeath(status: Deno.CommandStatus, stderrTail: string): string {
  if (/out of memory|heap limit/i.test(stderrTail)) return "cell_out_of_memory";
  return status.signal === null ? `cell_exit_${status.code}` : `cell_${status.signal.toLowerCase()}`;
}
