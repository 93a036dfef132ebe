/**
 * Killer: cells of a gateway that end at random, and the ends that nobody ordered.
 *
 * Owns which cells live, by the gateway's log, and the kill. It restarts nothing. Invariant: it only ever kills a
 * process that the gateway has said is a cell of its own and has not said has ended.
 */
import type { LogLine } from "../support/gateway.ts";
import type { Random } from "./call_kind.ts";

/** Ends that are no violation: ordered by the gateway in normal operation. */
const EXPECTED_REASONS = new Set(["idle", "closed", "memory"]);

/** Follows the cells of one gateway. */
export class Killer {
  readonly #living = new Set<number>();
  readonly #killed = new Set<number>();
  readonly #ends = new Map<string, number>();
  readonly #unexpected: string[] = [];

  get killsCount(): number {
    return this.#killed.size;
  }

  get living(): ReadonlySet<number> {
    return this.#living;
  }

  /** How many cells ended for which reason. */
  get ends(): ReadonlyMap<string, number> {
    return this.#ends;
  }

  /** Ends since the last question that neither we nor the gateway's normal operation caused, and failed starts. */
  takeUnexpected(): string[] {
    return this.#unexpected.splice(0);
  }

  takeLine(line: LogLine): void {
    const pid = Number(line["pid"]);
    if (line.message === "cell.started") this.#living.add(pid);
    if (line.message === "cell.start_failed") this.#unexpected.push(JSON.stringify(line));
    if (line.message !== "cell.ended") return;
    this.#living.delete(pid);
    const reason = String(line["reason"]);
    this.#ends.set(reason, (this.#ends.get(reason) ?? 0) + 1);
    const isExpected = this.#killed.has(pid) || EXPECTED_REASONS.has(reason);
    if (!isExpected) this.#unexpected.push(`cell ${line["cell"]} (${pid}) ended: ${reason}`);
  }

  /** Kills one cell. */
  killOne(random: Random): void {
    const cells = [...this.#living].filter((pid) => !this.#killed.has(pid));
    const pid = cells[Math.floor(random() * cells.length)];
    if (pid === undefined) return;
    try {
      Deno.kill(pid, "SIGKILL");
      this.#killed.add(pid);
    } catch {
      // It has ended by itself, and its line is on its way.
    }
  }
}
