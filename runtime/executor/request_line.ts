/**
 * RequestLine: the requests that one cell was given, first to last.
 *
 * Owns who is running (the first), who waits in the socket behind it, and the two clocks over them: the
 * running one's deadline, and the moment after which a waiting one must not be started any more.
 *
 * Why handing back is safe: the cell starts a request only before its `startBy`, and only after the answer
 * to the one before has left for the socket. So once `startBy` has passed by the margin, every answer that
 * preceded a start is in the socket. A review then waits through further turns of the event loop; when not a
 * byte was read in them, the socket is empty, not merely unread by a loop that was busy; a request that is
 * still not first was not started, and the cell will refuse to.
 * Invariant: each request is answered, handed back or lost, exactly once.
 */
import type { Clock } from "../model/clock.ts";
import type { Frame } from "../wire/frame.ts";
import type { CellLogLine } from "../wire/messages.ts";
import type { CellAnswer } from "./cell_process.ts";

/** How long a request may wait behind another before the cell must leave it. */
const START_WITHIN_MS = 20;
/** How long after that its fate is reviewed. */
const MARGIN_MS = 10;
/** How long the socket must stay silent from then on; long enough for the loop to have looked at it twice. */
const SILENCE_MS = 5;
/** A cell whose running request is younger than this is likely to begin another soon. */
const MOVING_MS = 5;
/** A cell is brisk while its running request is younger than this, and requests took less on average. */
const BRISK_MS = 1;
/** Weight of the newest request in that average. */
const NEWEST_WEIGHT = 1 / 16;

interface Request {
  readonly id: number;
  readonly deadlineAtMs: number;
  readonly startByMs: number | undefined;
  readonly resolve: (answer: CellAnswer<unknown>) => void;
  readonly onLine: (line: CellLogLine) => void;
  linesSeen: number;
  /** The answer, while log lines that precede it are still on their way. */
  answer: { readonly frame: Frame; readonly logLines: number } | undefined;
}

/** What a line asks of its cell. */
export interface LineOwner {
  /** When bytes were last read from the cell's socket. */
  lastReadMs(): number;
  /** The running request has had its time. */
  deadlinePassed(): void;
}

/** The requests of one cell. */
export class RequestLine {
  readonly #clock: Clock;
  readonly #owner: LineOwner;
  /** In order of sending. */
  readonly #requests = new Map<number, Request>();
  #first: Request | undefined;
  #firstSinceMs = 0;
  /** Moving average of how long a request was the running one; begins too long to be brisk. */
  #meanMs = BRISK_MS;
  #cancelDeadline: (() => void) | undefined;
  #cancelReview: (() => void) | undefined;

  constructor(clock: Clock, owner: LineOwner) {
    this.#clock = clock;
    this.#owner = owner;
  }

  get isMoving(): boolean {
    return this.#first === undefined || this.#clock.nowMs() - this.#firstSinceMs < MOVING_MS;
  }

  /** Whether a request sent now would begin sooner here than another process takes to wake up. */
  get isBrisk(): boolean {
    return this.#meanMs < BRISK_MS && this.#first !== undefined &&
      this.#clock.nowMs() - this.#firstSinceMs < BRISK_MS;
  }

  /** Adds a request; `startByMs` is present if it must wait behind another. */
  add(
    id: number,
    deadlineAtMs: number,
    onLine: (line: CellLogLine) => void,
  ): { answer: Promise<CellAnswer<unknown>>; startByMs: number | undefined } {
    const startByMs = this.#first === undefined ? undefined : this.#clock.nowMs() + START_WITHIN_MS;
    const answer = new Promise<CellAnswer<unknown>>((resolve) => {
      this.#requests.set(id, {
        id,
        deadlineAtMs,
        startByMs,
        resolve,
        onLine,
        linesSeen: 0,
        answer: undefined,
      });
    });
    if (this.#first === undefined) this.#advance();
    else this.#cancelReview ??= this.#clock.after(START_WITHIN_MS + MARGIN_MS, () => this.#review());
    return { answer, startByMs };
  }

  /** Takes the answer to the running request; false if it is nobody's. */
  answer(frame: Frame, logLines: number): boolean {
    const request = this.#requests.get(frame.id);
    if (request === undefined || request.answer !== undefined) return false;
    request.answer = { frame, logLines };
    this.#settle(request);
    // The cell is on the next one already, even if log lines of this one are still being read.
    if (request === this.#first) {
      this.#meanMs += (this.#clock.nowMs() - this.#firstSinceMs - this.#meanMs) * NEWEST_WEIGHT;
      this.#advance();
    }
    return true;
  }

  /** Takes a guest's log line. Lines of nobody are dropped. */
  takeLogLine(line: CellLogLine): void {
    const request = this.#requests.get(line.call);
    if (request === undefined) return;
    request.linesSeen++;
    request.onLine(line);
    this.#settle(request);
  }

  /** The cell says that it left a request unstarted. It may have been handed back before. */
  handBack(id: number): void {
    const request = this.#requests.get(id);
    if (request === undefined) return;
    this.#requests.delete(id);
    if (request === this.#first) this.#advance();
    request.resolve({ type: "handed_back" });
  }

  /** The cell is dead: the running request is lost with it, those behind it never began. */
  close(reason: string): void {
    this.#cancelDeadline?.();
    this.#cancelReview?.();
    const running = this.#first;
    this.#first = undefined;
    const requests = [...this.#requests.values()];
    this.#requests.clear();
    for (const request of requests) {
      if (request.answer !== undefined) {
        request.resolve({
          type: "answered",
          meta: request.answer.frame.meta,
          blob: request.answer.frame.blob,
        });
      } else request.resolve(request === running ? { type: "died", reason } : { type: "handed_back" });
    }
  }

  #settle(request: Request): void {
    const { answer } = request;
    if (answer === undefined || request.linesSeen < answer.logLines) return;
    this.#requests.delete(request.id);
    request.resolve({ type: "answered", meta: answer.frame.meta, blob: answer.frame.blob });
  }

  /** The first request without an answer is the running one now. */
  #advance(): void {
    this.#cancelDeadline?.();
    this.#cancelDeadline = undefined;
    this.#first = undefined;
    for (const request of this.#requests.values()) {
      if (request.answer !== undefined) continue;
      this.#first = request;
      break;
    }
    if (this.#first === undefined) return;
    const nowMs = this.#clock.nowMs();
    this.#firstSinceMs = nowMs;
    this.#cancelDeadline = this.#clock.after(Math.max(0, this.#first.deadlineAtMs - nowMs), () => {
      this.#owner.deadlinePassed();
    });
  }

  /** Something may have waited too long: listens to the socket for a while, then decides. */
  #review(): void {
    const askedAtMs = this.#clock.nowMs();
    this.#cancelReview = this.#clock.after(SILENCE_MS, () => {
      this.#cancelReview = this.#clock.after(SILENCE_MS, () => this.#decide(askedAtMs));
    });
  }

  /** Hands back what had to be started before `askedAtMs`, and looks again while anyone waits. */
  #decide(askedAtMs: number): void {
    this.#cancelReview = undefined;
    const isSilent = this.#owner.lastReadMs() < askedAtMs;
    let isAnyoneWaiting = false;
    for (const request of this.#requests.values()) {
      if (request === this.#first || request.answer !== undefined || request.startByMs === undefined) {
        continue;
      }
      if (isSilent && askedAtMs >= request.startByMs + MARGIN_MS) this.handBack(request.id);
      else isAnyoneWaiting = true;
    }
    if (isAnyoneWaiting) this.#cancelReview = this.#clock.after(MARGIN_MS, () => this.#review());
  }
}
