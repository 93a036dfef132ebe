/**
 * CellProcess: one child process, from the gateway's side.
 *
 * Owns the process, its socket, the modules it was sent and the requests it was given. It does not choose
 * what runs where (cell_pool.ts). A cell works on one request at a time, the first; others may wait in the
 * socket behind it, each with a moment after which the cell must not start it any more, so that a request
 * behind a slow one is handed back and tried elsewhere (docs/decisions/0002-cells.md).
 * Invariants: a request resolves exactly once; one that is handed back has not run and never will; a death
 * is reported only after everything the cell had printed was read.
 */
import { setImmediate } from "node:timers";
import type { Clock } from "../model/clock.ts";
import { invariant } from "../model/invariant.ts";
import type { FrameReader } from "../wire/frame.ts";
import type { Frame } from "../wire/frame.ts";
import { FrameWriter } from "../wire/frame_writer.ts";
import { FRAME } from "../wire/messages.ts";
import type {
  CallMeta,
  CellLogLine,
  ConfigureMeta,
  PreparedMeta,
  PrepareMeta,
  ResultMeta,
} from "../wire/messages.ts";
import { readCellLog, readTail } from "./cell_log.ts";
import { ModuleShelf } from "./module_shelf.ts";
import { RequestLine } from "./request_line.ts";
import { spawnCell } from "./spawn_cell.ts";
import type { CellOptions, SpawnedCell } from "./spawn_cell.ts";

/** Reported when a cell was killed because its running request had had its time. */
export const KILLED_AT_DEADLINE = "deadline_elapsed";

/** How a cell answered: with its frame, not at all because it died, or not at all because it never began. */
export type CellAnswer<Meta> =
  | { readonly type: "answered"; readonly meta: Meta; readonly blob: Uint8Array<ArrayBuffer> }
  | { readonly type: "died"; readonly reason: string }
  | { readonly type: "handed_back" };

const ignoreLine = (): void => {};

/** A running child process. */
export class CellProcess {
  readonly id: number;
  /** Resolves when the process has ended and everything it had printed was read. */
  readonly ended: Promise<void>;
  readonly #clock: Clock;
  readonly #spawned: SpawnedCell;
  readonly #writer: FrameWriter;
  readonly #shelf: ModuleShelf;
  readonly #line: RequestLine;
  /** See SpawnedCell; every answer that was under way for less time makes it better. */
  #clockOffsetMs: number;
  #nextRequestId = 1;
  #killReason: string | undefined;
  /** Its socket is gone: it is dying, or is made to. The reason is whatever its status says. */
  #disconnected = false;
  #dead = false;
  #deathReason = "";

  /** Starts a process and resolves when it is ready to serve. Rejects if it does not get there. */
  static async start(options: CellOptions): Promise<CellProcess> {
    return new CellProcess(options, await spawnCell(options));
  }

  private constructor(options: CellOptions, spawned: SpawnedCell) {
    this.id = options.id;
    this.#clock = options.clock;
    this.#spawned = spawned;
    this.#clockOffsetMs = spawned.clockOffsetMs;
    this.#shelf = new ModuleShelf(options.moduleBytesMax);
    this.#line = new RequestLine(options.clock, {
      lastReadMs: () => spawned.source.lastReadMs,
      deadlinePassed: () => this.kill(KILLED_AT_DEADLINE),
    });
    this.#writer = new FrameWriter(
      spawned.connection,
      () => this.#disconnect(),
      // Calls of one turn of the event loop share a system call.
      (drain) => setImmediate(drain),
    );
    const configure: ConfigureMeta = { limits: options.limits };
    this.#writer.send(FRAME.configure, 0, configure);
    const log = readCellLog(spawned.child.stdout, (line) => this.#line.takeLogLine(line));
    void log.then((wellBehaved) => wellBehaved || this.kill("log_overflow"), () => {});
    const frames = this.#readFrames(spawned.reader);
    this.ended = this.#awaitEnd(frames, log, readTail(spawned.child.stderr));
  }

  get pid(): number {
    return this.#spawned.child.pid;
  }

  get isDead(): boolean {
    return this.#dead || this.#disconnected || this.#killReason !== undefined;
  }

  /** Whether a request sent now is likely to be begun soon. */
  get isMoving(): boolean {
    return this.#line.isMoving;
  }

  /** Whether a request sent now would begin sooner than an idle cell wakes up. */
  get isBrisk(): boolean {
    return this.#line.isBrisk;
  }

  /** Why the process ended; empty while it lives. */
  get deathReason(): string {
    return this.#deathReason;
  }

  hasModule(digest: string): boolean {
    return this.#shelf.has(digest);
  }

  /** Sends a module that the cell does not have; drops the least recently used ones over the bound. */
  sendModule(digest: string, bytes: Uint8Array): void {
    const { number, evicted } = this.#shelf.add(digest, bytes.length);
    for (const old of evicted) this.#writer.send(FRAME.forget, old, undefined);
    this.#writer.send(FRAME.module, number, undefined, bytes);
  }

  /** Runs a call on a module sent before. `onLine` gets the guest's log lines, all before the answer. */
  call(
    digest: string,
    meta: Omit<CallMeta, "module" | "startBy">,
    input: Uint8Array,
    deadlineAtMs: number,
    onLine: (line: CellLogLine) => void,
  ): Promise<CellAnswer<ResultMeta>> {
    const full = { ...meta, module: this.#shelf.use(digest) };
    return this.#request(FRAME.call, full, input, deadlineAtMs, onLine) as Promise<CellAnswer<ResultMeta>>;
  }

  /** Has a deploy body examined. */
  prepare(
    meta: Omit<PrepareMeta, "startBy">,
    body: Uint8Array,
    deadlineAtMs: number,
  ): Promise<CellAnswer<PreparedMeta>> {
    const answer = this.#request(FRAME.prepare, meta, body, deadlineAtMs, ignoreLine);
    return answer as Promise<CellAnswer<PreparedMeta>>;
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

  #request(
    type: number,
    meta: object,
    blob: Uint8Array,
    deadlineAtMs: number,
    onLine: (line: CellLogLine) => void,
  ): Promise<CellAnswer<unknown>> {
    if (this.isDead) return Promise.resolve({ type: "handed_back" });
    const id = this.#nextRequestId++ >>> 0;
    const { answer, startByMs } = this.#line.add(id, deadlineAtMs, onLine);
    // The offset is never too small, so the cell's own clock reaches `startBy` no later than ours.
    const startBy = startByMs === undefined ? {} : { startBy: startByMs - this.#clockOffsetMs };
    this.#writer.send(type, id, { ...meta, ...startBy }, blob);
    return answer;
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
        return this.#line.answer(frame, 0);
      case FRAME.result: {
        const meta = frame.meta as ResultMeta;
        const endedAtMs = meta.startedAtMs + (meta.spans.at(-1)?.endUs ?? 0) / 1000;
        this.#clockOffsetMs = Math.min(this.#clockOffsetMs, this.#spawned.source.lastReadMs - endedAtMs);
        return this.#line.answer(frame, meta.logLines);
      }
      case FRAME.not_started:
        this.#line.handBack(frame.id);
        return true;
      default:
        return false;
    }
  }

  async #awaitEnd(
    frames: Promise<void>,
    log: Promise<boolean>,
    stderrTail: Promise<string>,
  ): Promise<void> {
    const status = await this.#spawned.child.status;
    // What it had answered is still in the socket. A call whose answer is there is not lost, and the one
    // behind it may have been begun: it must not be taken for one that never was.
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
    this.#line.close(this.#deathReason);
  }
}

/** A word for a death that nobody ordered. */
function describeDeath(status: Deno.CommandStatus, stderrTail: string): string {
  if (/out of memory|heap limit/i.test(stderrTail)) return "cell_out_of_memory";
  return status.signal === null ? `cell_exit_${status.code}` : `cell_${status.signal.toLowerCase()}`;
}
