/**
 * Quarantine: what the crashes of cells say about the modules that ran in them.
 *
 * Owns suspicion, strikes and the times of refusal, by digest. It starts and kills nothing: the executor asks
 * it before a call and tells it of every end. A crash with one module inside is a strike against it; with
 * several, each is suspect and runs alone until it has shown itself harmless, so that the next crash tells
 * who it was. Invariants: only a module that crashed cells alone is ever refused; at most
 * `QUARANTINE.digestsMax` modules are remembered.
 */
import type { Clock } from "../model/clock.ts";
import { fault } from "../model/fault.ts";
import { limitMessage } from "../model/limits.ts";

/** The rules in numbers. */
export const QUARANTINE = {
  /** Strikes that count at a time before a module is quarantined. */
  strikesMax: 3,
  /** How long a strike counts, and a suspicion is held against the next; time in quarantine is not counted. */
  memoryMs: 600_000,
  /** The first quarantine; each further strike doubles it, up to the longest. */
  shortestMs: 60_000,
  longestMs: 3_600_000,
  /** Calls that a suspect must end well, alone, to be cleared; each renewed suspicion doubles them, up to the most. */
  callsToClear: 3,
  callsToClearMax: 384,
  /** Most modules remembered; those that crashed longest ago are forgotten. */
  digestsMax: 10_000,
} as const;

/** Deaths that a guest can cause, by the words of cell_process.ts and cell_watch.ts. */
const CRASH_REASONS: ReadonlySet<string> = new Set([
  "cell_out_of_memory",
  "cell_sigtrap",
  "cell_sigabrt",
  "cell_sigsegv",
  "cell_sigill",
  "cell_sigbus",
  "cell_sigfpe",
  "cell_sigsys",
  // It neither yielded nor let the cell answer.
  "unresponsive",
  // Or it let the cell answer pings, and was not stopped long after its deadline.
  "overdue",
  "memory",
  // A cell that breaks its protocol is out of our control, and only guests can have brought it there.
  "log_overflow",
  "protocol_violation",
]);

/**
 * Whether a death is evidence against the modules inside. An order of ours ("closed", "idle"), a bug of ours
 * ("quarantined") and a kill from outside (`cell_sigkill`) are not.
 */
export function isCrash(reason: string): boolean {
  return CRASH_REASONS.has(reason) || /^cell_exit_[0-9]+$/.test(reason);
}

interface Evidence {
  /** When each strike that counts was, quarantines left out. */
  strikesAtMs: number[];
  /** When suspicion last fell on it, and how often within the time that this is held against it. */
  suspectedAtMs: number;
  suspicions: number;
  /** Calls still to be ended well before it may share a cell. */
  callsToClear: number;
  quarantinedUntilMs: number;
}

/** What is held against modules. */
export class Quarantine {
  readonly #clock: Clock;
  /** In the order of the last crash: a Map iterates in the order of insertion. */
  readonly #evidence = new Map<string, Evidence>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Modules remembered. */
  get count(): number {
    return this.#evidence.size;
  }

  /**
   * Whether a call of a module may share its cell.
   *
   * @throws RuntimeFault `module_quarantined` while it may not run at all
   */
  check(digest: string): "shared" | "alone" {
    const evidence = this.#evidence.get(digest);
    if (evidence === undefined) return "shared";
    const remainingMs = evidence.quarantinedUntilMs - this.#clock.nowMs();
    if (remainingMs <= 0) return evidence.callsToClear > 0 ? "alone" : "shared";
    throw fault(
      "module_quarantined",
      limitMessage(
        "Module is quarantined for crashing the processes that ran it",
        "strikesMax",
        QUARANTINE.strikesMax,
        evidence.strikesAtMs.length,
      ),
      { retryAfterSeconds: Math.ceil(remainingMs / 1000) },
    );
  }

  /** A cell died by a crash (`isCrash`) while calls of these modules were in it. */
  cellCrashed(digests: Iterable<string>): void {
    const inside = new Set(digests);
    for (const digest of inside) {
      const evidence = this.#recall(digest);
      this.#suspect(evidence);
      if (inside.size === 1) this.#strike(evidence);
    }
    for (const oldest of this.#evidence.keys()) {
      if (this.#evidence.size <= QUARANTINE.digestsMax) break;
      this.#evidence.delete(oldest);
    }
  }

  /** A call that `check` had sent alone into a cell has ended, however it ended, and the cell lives. */
  ranWell(digest: string): void {
    const evidence = this.#evidence.get(digest);
    if (evidence === undefined) return;
    evidence.callsToClear = Math.max(0, evidence.callsToClear - 1);
    if (evidence.callsToClear === 0 && this.#isPast(evidence)) this.#evidence.delete(digest);
  }

  /** The evidence on a module, moved to the end of the order. */
  #recall(digest: string): Evidence {
    const evidence = this.#evidence.get(digest) ??
      { strikesAtMs: [], suspectedAtMs: 0, suspicions: 0, callsToClear: 0, quarantinedUntilMs: 0 };
    this.#evidence.delete(digest);
    this.#evidence.set(digest, evidence);
    return evidence;
  }

  #suspect(evidence: Evidence): void {
    evidence.suspicions = this.#isPast(evidence) ? 1 : evidence.suspicions + 1;
    evidence.suspectedAtMs = Math.max(this.#clock.nowMs(), evidence.quarantinedUntilMs);
    evidence.callsToClear = Math.min(
      QUARANTINE.callsToClearMax,
      QUARANTINE.callsToClear * 2 ** (evidence.suspicions - 1),
    );
  }

  #strike(evidence: Evidence): void {
    const nowMs = this.#clock.nowMs();
    // Calls that had begun before the quarantine crash under it: the same mistake, not a further one.
    if (nowMs < evidence.quarantinedUntilMs) return;
    const { strikesMax, memoryMs, shortestMs, longestMs } = QUARANTINE;
    const counting = [...evidence.strikesAtMs.filter((atMs) => nowMs - atMs < memoryMs), nowMs];
    const further = counting.length - strikesMax;
    if (further >= 0) {
      const lengthMs = Math.min(longestMs, shortestMs * 2 ** further);
      evidence.quarantinedUntilMs = nowMs + lengthMs;
      // None of them grows old while the module could not have crashed anything.
      counting.fill(evidence.quarantinedUntilMs);
      evidence.suspectedAtMs = evidence.quarantinedUntilMs;
    }
    evidence.strikesAtMs = counting;
  }

  /** Whether its last crash is too long ago to be held against it. */
  #isPast({ suspectedAtMs }: Evidence): boolean {
    return this.#clock.nowMs() - suspectedAtMs >= QUARANTINE.memoryMs;
  }
}
