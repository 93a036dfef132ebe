/**
 * CellWatch: looks after living cells: do they answer, and how large have they grown.
 *
 * Owns the pings, the readings of memory and the verdicts: kill a cell that does not answer, have a bloated
 * one retired, kill one that grows all the same. It starts, drains and replaces nothing (cell_pool.ts does).
 * Invariants: a cell has one ping and one reading under way at most; neither time in which the gateway itself was
 * stuck is held against a cell, nor time in which what its ping or the answer stands behind was on its way; when a
 * cell has ended, no timer of its watch is left.
 */
import type { Clock } from "../model/clock.ts";

/** A cell as its watch sees it. */
export interface WatchedCell {
  readonly id: number;
  readonly pid: number;
  readonly isDead: boolean;
  /** Resolves when the process has ended. */
  readonly ended: Promise<void>;
  /** What the cell last said of its own memory, for where the system does not tell. */
  readonly residentBytes?: number | undefined;
  /** Grows while frames that the last ping or its answer may stand behind are on their way. */
  readonly movedBytes: number;
  /** Resolves when the cell has answered. */
  ping(): Promise<void>;
  kill(reason: "unresponsive" | "memory"): void;
}

/** What a watch works with. */
export interface CellWatchOptions<Cell extends WatchedCell = WatchedCell> {
  readonly clock: Clock;
  readonly pingTimeoutMs: number;
  readonly memoryBytesMax: number;
  /** Resident memory of a process; undefined where the system does not tell. */
  readonly readResidentBytes: (pid: number) => Promise<number | undefined>;
  /** Called once for a cell that should get no more calls and end when it has finished those it has. */
  readonly retire: (cell: Cell, reason: "memory") => void;
  /** Called with the round trip of every ping. */
  readonly onPing?: (roundTripMs: number) => void;
}

const PING_INTERVAL_MS_MAX = 1_000;
const MEMORY_INTERVAL_MS = 1_000;
/** How far over the bound a cell is killed that did not end by being retired. */
const KILL_FACTOR = 1.5;

/** Watches any number of cells. */
export class CellWatch<Cell extends WatchedCell = WatchedCell> {
  readonly #options: CellWatchOptions<Cell>;

  constructor(options: CellWatchOptions<Cell>) {
    this.#options = options;
  }

  /** Watches a cell until it has ended. */
  watch(cell: Cell): void {
    if (cell.isDead) return;
    const stops = [watchAnswers(cell, this.#options), watchMemory(cell, this.#options)];
    const stop = (): void => stops.forEach((stopOne) => stopOne());
    void cell.ended.then(stop, stop);
  }
}

/** A ping that has not been answered yet. */
interface Ping {
  readonly sentAtMs: number;
  /** How long the gateway has really waited since it last saw something move. */
  waitedMs: number;
  movedBytes: number;
}

/** Pings a cell from time to time. The returned function stops it. */
function watchAnswers<Cell extends WatchedCell>(cell: Cell, options: CellWatchOptions<Cell>): () => void {
  const { clock, pingTimeoutMs } = options;
  const intervalMs = Math.min(PING_INTERVAL_MS_MAX, pingTimeoutMs / 2);
  let ping: Ping | undefined;
  let wasLate = false;

  const send = (): void => {
    const sent: Ping = { sentAtMs: clock.nowMs(), waitedMs: 0, movedBytes: 0 };
    ping = sent;
    const answered = (): void => {
      if (ping === sent) ping = undefined;
      options.onPing?.(clock.nowMs() - sent.sentAtMs);
    };
    // A ping that fails is one without an answer.
    cell.ping().then(answered, () => {});
    sent.movedBytes = cell.movedBytes;
  };

  return repeat(
    clock,
    () => Math.min(intervalMs, pingTimeoutMs - (ping?.waitedMs ?? 0)),
    (delayMs, lateMs) => {
      if (cell.isDead) return "stop";
      // After the gateway was stuck, the answer may lie unread: it gets another interval. Not two: a gateway
      // that is always late must judge some day.
      const isExcused = lateMs > intervalMs / 2 && !wasLate;
      wasLate = isExcused;
      if (ping === undefined) send();
      else if (hasMoved(ping, cell)) ping.waitedMs = 0;
      else if (!isExcused) ping.waitedMs += delayMs;
      if (ping === undefined || ping.waitedMs < pingTimeoutMs) return "go on";
      cell.kill("unresponsive");
      return "stop";
    },
  );
}

/** Whether the cell has taken or sent anything since the last look, as hundreds of megabytes can take long to. */
function hasMoved(ping: Ping, { movedBytes }: WatchedCell): boolean {
  const hasMoved = movedBytes !== ping.movedBytes;
  ping.movedBytes = movedBytes;
  return hasMoved;
}

/** Reads a cell's memory from time to time. The returned function stops it. */
function watchMemory<Cell extends WatchedCell>(cell: Cell, options: CellWatchOptions<Cell>): () => void {
  const { memoryBytesMax } = options;
  let isReading = false;
  let isRetired = false;

  const judge = (bytes: number): void => {
    if (cell.isDead || bytes <= memoryBytesMax) return;
    if (bytes > memoryBytesMax * KILL_FACTOR) return cell.kill("memory");
    if (isRetired) return;
    isRetired = true;
    options.retire(cell, "memory");
  };

  const read = async (): Promise<void> => {
    isReading = true;
    const bytes = await options.readResidentBytes(cell.pid).catch(() => undefined) ?? cell.residentBytes;
    isReading = false;
    if (bytes !== undefined) judge(bytes);
  };

  return repeat(options.clock, () => MEMORY_INTERVAL_MS, () => {
    if (cell.isDead) return "stop";
    if (!isReading) void read();
    return "go on";
  });
}

/**
 * Calls `step` again and again, `delay()` after the last time, until it says "stop" or the returned function
 * is called, which must not be by the step itself. The step is told how long it was to wait and how much
 * later than that it came.
 */
function repeat(
  clock: Clock,
  delay: () => number,
  step: (delayMs: number, lateMs: number) => "go on" | "stop",
): () => void {
  let cancel = (): void => {};
  const arm = (): void => {
    const delayMs = delay();
    const dueAtMs = clock.nowMs() + delayMs;
    cancel = clock.after(delayMs, () => {
      if (step(delayMs, clock.nowMs() - dueAtMs) === "go on") arm();
    });
  };
  arm();
  return () => cancel();
}
