/**
 * Scheduler: which of a cell's calls runs, and for how long.
 *
 * Owns the run queue and the one decision that every check of a guest leads to: go on, give way, or stop
 * (deadline, cancel, fuel, memory). Guests are fibers: WebAssembly on a stack of its own that JavaScript
 * Promise Integration parks while another runs. It knows no frames and no host functions.
 * Invariants: one fiber runs at a time; the event loop has its turn at
 * least once in two time slices; a fiber
 * whose time is over is the next to run, so that it ends; tenants with something to run get equal time.
 */
import { IdTable } from "../model/id_table.ts";
import { invariant } from "../model/invariant.ts";
import { type Link, LinkedList } from "../model/linked_list.ts";
import type { Outcome } from "../model/outcome.ts";
import { type Fiber, STOP } from "./fiber.ts";
import { TenantTimes } from "./tenant_times.ts";

/** What the scheduler needs of its surroundings; tests give their own. */
export interface SchedulerHost {
  nowMs(): number;
  /** Calls back after the event loop has looked at its sockets. */
  nextTurn(callback: () => void): void;
  /** Calls back once after a time; the answer cancels. */
  after(delayMs: number, callback: () => void): () => void;
}

/** The limits of the cell, which are looked at whenever a fiber asks to go on. */
export interface Guard {
  /** How to end a fiber that must not go on. */
  check(fiber: Fiber): Outcome | undefined;
  /** A fiber that ran before has the thread again. */
  comeOn(fiber: Fiber): void;
}

/** No limits. */
const NO_GUARD: Guard = { check: () => undefined, comeOn: () => {} };

interface Entry {
  readonly fiber: Fiber;
  /** Begins or goes on with the call. */
  resume: () => void;
  /** Order of having become ready. */
  readySince: number;
  state: "ready" | "running" | "waiting";
  /** Among those that are ready. */
  link: Link<Entry> | undefined;
  cancelTimer: (() => void) | undefined;
}

/** Of so many choices within a tenant one goes to the fiber that waits longest, the others to the youngest. */
const FAIR_TURN = 4;

/** How long a look holds for work that asks after every little piece: as long as guests run without asking. */
const LOOK_MS = 0.2;

/** Runs the fibers of one cell. */
export class Scheduler {
  readonly #host: SchedulerHost;
  readonly #timeSliceMs: number;
  readonly #guard: Guard;
  readonly #entries = new IdTable<Entry>();
  readonly #ready = new LinkedList<Entry>();
  readonly #times = new TenantTimes();
  #current: Entry | undefined;
  /** Who was parked last, until somebody comes on, and whether it wants another to. */
  #parked: Entry | undefined;
  #isOffer = false;
  /** When the running fiber came on, and when the event loop had its last turn. */
  #cameOnAtMs = 0;
  #turnAtMs = 0;
  /** When it was last looked whether the running fiber may go on. */
  #lookedAtMs = 0;
  #isScheduled = false;
  #choices = 0;
  #readyCount = 0;

  constructor(host: SchedulerHost, timeSliceMs: number, guard: Guard = NO_GUARD) {
    this.#host = host;
    this.#timeSliceMs = timeSliceMs;
    this.#guard = guard;
  }

  /** Calls that have begun or wait to begin. */
  get size(): number {
    return this.#entries.size;
  }

  /**
   * Runs a call when its turn comes; `run` must not throw, and the call is over when its promise settles.
   *
   * @param needed the call waits for it first, as one that sleeps: its deadline and a cancel reach it
   */
  submit(fiber: Fiber, run: () => Promise<void>, needed?: Promise<unknown>): void {
    const entry: Entry = {
      fiber,
      resume: () => void run().finally(() => this.#end(entry)),
      readySince: 0,
      state: "waiting",
      link: undefined,
      cancelTimer: undefined,
    };
    // A call that comes while nothing is to do was brought by the event loop just now.
    if (this.#entries.size === 0) this.#turnAtMs = this.#host.nowMs();
    this.#entries.set(fiber.number, entry);
    this.#times.enter(fiber.limits.tenant);
    if (needed === undefined) return this.#makeReady(entry);
    const wake = (): void => {
      if (entry.state === "waiting" && this.#entries.get(fiber.number) === entry) this.#makeReady(entry);
    };
    needed.then(wake, wake);
    const remainingMs = Math.max(0, fiber.limits.deadlineAtMs - this.#host.nowMs());
    entry.cancelTimer = this.#host.after(remainingMs, wake);
  }

  /** Stops a call: at its next check, or at once where it waits. */
  cancel(fiber: Fiber, outcome: Outcome): void {
    const entry = this.#entries.get(fiber.number);
    if (entry === undefined) return;
    fiber.stop(outcome);
    if (entry.state === "waiting") this.#makeReady(entry);
  }

  /** Stops every call. */
  cancelAll(outcome: Outcome): void {
    for (const { fiber } of this.#entries.values()) this.cancel(fiber, outcome);
  }

  /**
   * What a guest's check asks: `left` is its fuel, below zero. Answers with new fuel, STOP, or a promise of
   * either while others run.
   */
  tick(left: number): number | Promise<number> {
    const entry = this.#running();
    const { fiber } = entry;
    const nowMs = this.#host.nowMs();
    fiber.ask(left, nowMs);
    if (this.#isOver(fiber, nowMs)) return STOP;
    if (nowMs - this.#cameOnAtMs < this.#timeSliceMs) return fiber.grant(nowMs);
    return new Promise((resolve) => this.#park(entry, nowMs, () => resolve(this.#goOn(fiber))));
  }

  /**
   * What a host function asks that works for long, or whose guest offers to give way: undefined to go on at
   * once, a promise while others run. The caller looks at `fiber.stopped` afterwards.
   *
   * @param isOffered give way even if the slice is not over, if anyone waits
   */
  checkpoint(isOffered: boolean): Promise<void> | undefined {
    const entry = this.#running();
    const nowMs = this.#host.nowMs();
    if (this.#isOver(entry.fiber, nowMs)) return undefined;
    const isDue = nowMs - this.#cameOnAtMs >= this.#timeSliceMs;
    if (!isDue && !(isOffered && this.#ready.size > 0)) return undefined;
    return new Promise((resolve) => {
      this.#park(entry, nowMs, () => (this.#isOver(entry.fiber, this.#host.nowMs()), resolve()));
      this.#isOffer = isOffered;
    });
  }

  /**
   * Whether the running fiber should ask again, `checkpoint` or otherwise: it is over, or has not asked for a while.
   * For host functions that guests call in quick succession.
   */
  get isLookDue(): boolean {
    return this.#running().fiber.stopped !== undefined || this.#host.nowMs() - this.#lookedAtMs >= LOOK_MS;
  }

  /** Whether a call must not go on, or begin; then `fiber.stopped` says why. */
  isOver(fiber: Fiber): boolean {
    return this.#isOver(fiber, this.#host.nowMs());
  }

  /** Whether it is this fiber that has the thread. */
  isRunning(fiber: Fiber): boolean {
    return this.#current?.fiber === fiber;
  }

  /** Time that the running fiber has had the thread in all, this turn included. */
  runningMs(): number {
    return this.#running().fiber.cpuMs + this.#host.nowMs() - this.#cameOnAtMs;
  }

  /** The time, on the scale of deadlines. */
  nowMs(): number {
    return this.#host.nowMs();
  }

  /** Suspends the running fiber for a time, at most until its deadline; others run meanwhile. */
  sleep(durationMs: number): Promise<void> {
    return this.#suspend(durationMs, () => {});
  }

  /** Likewise until a promise settles, however it does. Resolves; the caller looks at `fiber.stopped`. */
  wait(promise: Promise<unknown>): Promise<void> {
    return this.#suspend(Infinity, (wake) => void promise.then(wake, wake));
  }

  /** @param arm is given what ends the wait before its time; it may be called at any time, or never */
  #suspend(durationMs: number, arm: (wake: () => void) => void): Promise<void> {
    const entry = this.#running();
    const nowMs = this.#host.nowMs();
    // A guest that caught its stop may ask to sleep once more.
    if (this.#isOver(entry.fiber, nowMs)) return Promise.resolve();
    const untilMs = Math.min(nowMs + durationMs, entry.fiber.limits.deadlineAtMs);
    return new Promise((resolve) => {
      this.#leave(entry, nowMs);
      entry.state = "waiting";
      this.#times.sleep(entry.fiber.limits.tenant);
      const resume = (): void => (this.#isOver(entry.fiber, this.#host.nowMs()), resolve());
      entry.resume = resume;
      entry.cancelTimer = this.#host.after(Math.max(0, untilMs - nowMs), () => this.#makeReady(entry));
      arm(() => {
        if (entry.state === "waiting" && entry.resume === resume) this.#makeReady(entry);
      });
      this.#schedule();
    });
  }

  #running(): Entry {
    invariant(this.#current !== undefined, "Only the running fiber asks");
    return this.#current;
  }

  /** The one place that decides whether a call may go on. */
  #isOver(fiber: Fiber, nowMs: number): boolean {
    this.#lookedAtMs = nowMs;
    if (fiber.stopped !== undefined) return true;
    const { deadlineAtMs, deadlineMs, fuelMax } = fiber.limits;
    if (nowMs >= deadlineAtMs) {
      const actual = Math.round(deadlineMs + nowMs - deadlineAtMs);
      fiber.stop({ type: "exhausted", limit: "deadline_ms", max: deadlineMs, actual });
    } else if (fuelMax > 0 && fiber.fuel > fuelMax) {
      fiber.stop({ type: "exhausted", limit: "fuel", max: fuelMax, actual: fiber.fuel });
    } else {
      const outcome = this.#guard.check(fiber);
      if (outcome === undefined) return false;
      fiber.stop(outcome);
    }
    return true;
  }

  /** The answer to a check after which the fiber was parked. */
  #goOn(fiber: Fiber): number {
    const nowMs = this.#host.nowMs();
    return this.#isOver(fiber, nowMs) ? STOP : fiber.grant(nowMs);
  }

  #park(entry: Entry, nowMs: number, resume: () => void): void {
    this.#parked = entry;
    this.#isOffer = false;
    this.#leave(entry, nowMs);
    entry.resume = resume;
    this.#makeReady(entry);
  }

  /** The running fiber runs no more. */
  #leave(entry: Entry, nowMs: number): void {
    const ranMs = nowMs - this.#cameOnAtMs;
    entry.fiber.cpuMs += ranMs;
    this.#times.charge(entry.fiber.limits.tenant, ranMs);
    this.#current = undefined;
  }

  #end(entry: Entry): void {
    // A call that was stopped while it waited ends without having come on again.
    if (this.#current === entry) this.#leave(entry, this.#host.nowMs());
    entry.cancelTimer?.();
    this.#leaveReady(entry);
    this.#entries.delete(entry.fiber.number);
    const { tenant } = entry.fiber.limits;
    if (entry.state !== "waiting") this.#times.sleep(tenant);
    this.#times.leave(tenant);
    this.#schedule();
  }

  #makeReady(entry: Entry): void {
    entry.cancelTimer?.();
    entry.cancelTimer = undefined;
    if (entry.state === "waiting") this.#times.wake(entry.fiber.limits.tenant);
    entry.state = "ready";
    entry.readySince = this.#readyCount++;
    entry.link ??= this.#ready.push(entry);
    this.#schedule();
  }

  #leaveReady(entry: Entry): void {
    if (entry.link !== undefined) this.#ready.remove(entry.link);
    entry.link = undefined;
  }

  /** Runs the next one: in this turn of the event loop while the slice lasts, else in the next. */
  #schedule(): void {
    if (this.#isScheduled || this.#current !== undefined || this.#ready.size === 0) return;
    this.#isScheduled = true;
    if (this.#host.nowMs() - this.#turnAtMs < this.#timeSliceMs) {
      queueMicrotask(() => this.#runNext());
      return;
    }
    this.#host.nextTurn(() => {
      this.#turnAtMs = this.#host.nowMs();
      this.#runNext();
    });
  }

  #runNext(): void {
    this.#isScheduled = false;
    if (this.#current !== undefined) return;
    const nowMs = this.#host.nowMs();
    const entry = this.#choose(nowMs);
    if (entry === undefined) return;
    this.#leaveReady(entry);
    // It gave way to somebody; a guest that is alone only lets the event loop have its turn.
    if (this.#parked !== undefined && this.#parked !== entry) this.#parked.fiber.yields++;
    this.#parked = undefined;
    entry.state = "running";
    this.#current = entry;
    this.#cameOnAtMs = nowMs;
    this.#lookedAtMs = -Infinity;
    entry.fiber.resumed(nowMs);
    if (entry.fiber.cpuMs > 0) this.#guard.comeOn(entry.fiber);
    entry.resume();
  }

  /** The best, or the next best if the best has only just offered to give way. */
  #choose(nowMs: number): Entry | undefined {
    const longest = ++this.#choices % FAIR_TURN === 0;
    const best = this.#best(nowMs, longest, undefined);
    if (best === undefined || !this.#isOffer || best !== this.#parked) return best;
    const other = this.#best(nowMs, longest, best);
    return other !== undefined && this.#leadMs(other, best) <= this.#timeSliceMs ? other : best;
  }

  /** Whoever is to end comes first; then the tenant that had the least, and of its calls the youngest. */
  #best(nowMs: number, longest: boolean, except: Entry | undefined): Entry | undefined {
    let best: Entry | undefined;
    for (let link = this.#ready.first; link !== undefined; link = link.next) {
      const entry = link.value;
      if (entry === except) continue;
      const { fiber } = entry;
      if (fiber.stopped !== undefined || nowMs >= fiber.limits.deadlineAtMs) return entry;
      if (best === undefined || this.#precedes(entry, best, longest)) best = entry;
    }
    return best;
  }

  /** How much more time one has had than the other: who often offers to give way does not lose its share by it. */
  #leadMs({ fiber }: Entry, { fiber: other }: Entry): number {
    const { tenant } = fiber.limits;
    return tenant === other.limits.tenant
      ? fiber.cpuMs - other.cpuMs
      : this.#times.of(tenant) - this.#times.of(other.limits.tenant);
  }

  #precedes(entry: Entry, other: Entry, longestWaitFirst: boolean): boolean {
    const { tenant } = entry.fiber.limits;
    if (tenant !== other.fiber.limits.tenant) {
      const difference = this.#times.of(tenant) - this.#times.of(other.fiber.limits.tenant);
      if (difference !== 0) return difference < 0;
    } else if (!longestWaitFirst && entry.fiber.cpuMs !== other.fiber.cpuMs) {
      return entry.fiber.cpuMs < other.fiber.cpuMs;
    }
    return entry.readySince < other.readySince;
  }
}
