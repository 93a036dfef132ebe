/**
 * Report: the figures and violations of a chaos run.
 *
 * Owns what is counted and how it is printed. Invariant: a run passes only if there is no violation.
 */
import { Samples } from "./samples.ts";

/** Violations that are printed; the others are counted. */
const VIOLATIONS_SHOWN_MAX = 40;

const GUESTS_SHOWN_MAX = 5;

/** Counts of a run. */
export class Report {
  readonly answers = new Map<string, number>();
  readonly roundTrips = { honest: new Samples(), hostile: new Samples() };
  /** How much longer a call ran than its deadline, by its span; of all and by guest. */
  readonly overshoot = new Samples();
  readonly overshootByGuest = new Map<string, Samples>();
  /** From the client's leaving to the end of its call's span. */
  readonly cancelling = new Samples();
  readonly probes = new Samples();
  retriesCount = 0;
  deploysCount = 0;
  tracesCount = 0;
  violationsCount = 0;
  readonly #say: (text: string) => void;

  constructor(say: (text: string) => void) {
    this.#say = say;
  }

  get callsCount(): number {
    return this.answers.values().reduce((sum, count) => sum + count, 0);
  }

  countAnswer(answer: string): void {
    this.answers.set(answer, (this.answers.get(answer) ?? 0) + 1);
  }

  addOvershoot(guest: string, ms: number): void {
    this.overshoot.add(ms);
    const samples = this.overshootByGuest.get(guest) ?? new Samples();
    samples.add(ms);
    this.overshootByGuest.set(guest, samples);
  }

  /** Reports at once what must not be. */
  violation(reason: string, traceId = "-"): void {
    if (++this.violationsCount <= VIOLATIONS_SHOWN_MAX) this.#say(`VIOLATION trace ${traceId}: ${reason}`);
  }

  /** How many calls got which answer, most frequent first. */
  answersText(): string {
    return [...this.answers].sort(([, a], [, b]) => b - a).map(([answer, count]) => `${answer}: ${count}`)
      .join(", ");
  }

  /** The figures, a line each. */
  lines(): string[] {
    return [
      `${this.callsCount} calls (${this.answersText()})`,
      `${this.tracesCount} traces whole, ${this.retriesCount} calls retried, ${this.deploysCount} deploys`,
      `round trips: honest ${this.roundTrips.honest}; hostile ${this.roundTrips.hostile}`,
      `past the deadline: ${this.overshoot}; the latest guests:`,
      ...this.#latestGuests(),
      `from leaving to stopped: ${this.cancelling}`,
      `GET /healthz every 20 ms: ${this.probes}`,
    ];
  }

  #latestGuests(): string[] {
    return [...this.overshootByGuest].sort(([, a], [, b]) => b.percentile(0.99) - a.percentile(0.99))
      .slice(0, GUESTS_SHOWN_MAX).map(([guest, samples]) => `  ${guest}: ${samples}`);
  }
}
