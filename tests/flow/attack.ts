/**
 * Attacks as data: which call of which hostile guest, and what has to come of it.
 *
 * Owns the names of the outcomes and the way in which a list of attacks becomes tests. Running one and checking
 * what it left behind is the arena's.
 */
import type { Arena } from "./arena.ts";

/** One call of a hostile guest, and what has to come of it. */
export interface Attack {
  /** A guest of tests/guests/src/hostile without the `hostile_`, or the name of what was deployed before. */
  readonly guest: string;
  readonly export?: string;
  readonly args?: readonly unknown[];
  /** Input as raw bytes; then everything else is in the query. */
  readonly input?: Uint8Array<ArrayBuffer>;
  readonly deadlineMs?: number;
  /** `timeout`: it would go on for ever, so its deadline ends it, and an honest call is answered before that. */
  readonly expected: Expected | "timeout";
}

/** What an attack leads to: results, or a failure with its status and kind. */
export type Expected =
  | {
    readonly type: "returned";
    /** As parsed from JSON. */
    readonly result?: unknown;
    /** As written: numbers beyond what JSON parsers keep exactly. */
    readonly resultText?: string;
  }
  | {
    readonly type: "failed";
    readonly status: number;
    readonly kind: string;
    readonly message?: RegExp;
    /** The `outcome` attribute of the call's span. */
    readonly outcome: string;
    /** The `reason` attribute of the call's span. */
    readonly reason?: RegExp;
  };

/** Long enough for an honest call, short enough for many attacks. */
export const DEADLINE_MS = 250;
/** The deadline's answer. */
export function timeout(deadlineMs: number): Expected {
  return {
    type: "failed",
    status: 504,
    kind: "invoke_timeout",
    message: new RegExp(`^Call did not finish within its deadline: deadlineMs is ${deadlineMs}, got \\d+$`),
    outcome: "exhausted",
    reason: /^deadline/,
  };
}

/** A trap's answer. */
export function trap(reason: string): Expected {
  return {
    type: "failed",
    status: 500,
    kind: "wasmtime",
    message: /^Guest trapped: /,
    outcome: "trapped",
    reason: new RegExp(`^${reason}$`),
  };
}

/** The answer to a guest that exceeded a limit. */
export function exhausted(limit: string): Expected {
  return {
    type: "failed",
    status: 500,
    kind: "guest_limit_exceeded",
    message: new RegExp(`${limit} is \\d+, got \\d+$`),
    outcome: "exhausted",
    reason: new RegExp(`^${limit}$`),
  };
}

/** An attack that would go on for ever. */
export function endless(guest: string, exported = "run"): Attack {
  return { guest, export: exported, expected: "timeout" };
}

/** How many attacks of a list run at a time. */
const AT_A_TIME = 4;

/**
 * A test for each attack, of which several run at a time, in the order of the list. Attacks that share a cell also
 * attack each other.
 */
export function testAttacks(
  arena: () => Arena,
  attacks: readonly Attack[],
  atATime: number = AT_A_TIME,
): void {
  const results = new Map<Attack, Promise<unknown>>();
  for (const [index, attack] of attacks.entries()) {
    Deno.test(`attack: ${attack.guest}${attack.export === undefined ? "" : ` ${attack.export}`}`, async () => {
      const first = index - index % atATime;
      const together = attacks.slice(first, first + atATime);
      for (const next of together) {
        if (results.has(next)) continue;
        // A failure is thrown by the attack's own test.
        results.set(next, arena().attack(next).then(() => undefined, (error: unknown) => error));
      }
      await Promise.all(together.map((next) => results.get(next)));
      const error = await results.get(attack);
      if (error !== undefined) throw error;
    });
  }
}
