/**
 * Whatever comes in whatever order — submissions, ends of runs, cancels, kills, drains, a store that refuses —
 * every job that was accepted ends in exactly one final state, and runs as often as its caller allows.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { fault } from "../../../runtime/model/fault.ts";
import { isFinal } from "../../../runtime/model/job.ts";
import type { Outcome } from "../../../runtime/model/outcome.ts";
import { JobPlace } from "./job_place.ts";

const ATTEMPTS_MAX = 3;
const FINAL_LINE = /^job\.(completed|failed|cancelled|interrupted)$/;

type Step =
  | { readonly type: "submit"; readonly tenant: string; readonly idempotent: boolean }
  | { readonly type: "end"; readonly run: number; readonly outcome: Outcome }
  | { readonly type: "no_room"; readonly run: number }
  | { readonly type: "cancel"; readonly job: number }
  | { readonly type: "advance"; readonly ms: number }
  | { readonly type: "settle" | "crash" | "drain" | "store_fails" | "store_works" };

const OUTCOMES: readonly Outcome[] = [
  { type: "returned", values: [] },
  { type: "exited", exitCode: 1 },
  { type: "trapped", trap: "unreachable" },
  { type: "lost", reason: "cell_sigkill" },
  { type: "exhausted", limit: "deadline_ms", max: 1, actual: 2 },
];

const aStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant("submit" as const),
      tenant: fc.constantFrom("7", "8"),
      idempotent: fc.boolean(),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant("end" as const),
      run: fc.nat(3),
      outcome: fc.constantFrom(...OUTCOMES),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("no_room" as const), run: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("cancel" as const), job: fc.nat(9) }) },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant("advance" as const), ms: fc.constantFrom(50, 1_500, 6_000) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constantFrom("settle", "settle", "crash", "drain", "store_fails", "store_works"),
    }) as fc.Arbitrary<Step>,
  },
);

interface Known {
  readonly id: string;
  readonly tenant: string;
  readonly idempotent: boolean;
}

/** What has been asked of one place. */
class Story {
  readonly place: JobPlace;
  readonly accepted: Known[] = [];
  readonly #under: Promise<unknown>[] = [];

  constructor(place: JobPlace) {
    this.place = place;
  }

  async take(step: Step): Promise<void> {
    const { place } = this;
    switch (step.type) {
      case "submit": {
        const { tenant, idempotent } = step;
        const submitted = place.submit(tenant, { idempotent })
          .then((id) => this.accepted.push({ id, tenant, idempotent }), () => {});
        this.#under.push(submitted);
        return;
      }
      case "end":
        return place.runs[step.run]?.end({ outcome: step.outcome });
      case "no_room":
        return place.runs[step.run]?.fail(fault("capacity_exhausted", "full"));
      case "cancel": {
        const job = this.accepted[step.job];
        if (job !== undefined) void place.jobs.cancel(job.id, job.tenant, 0).catch(() => {});
        return;
      }
      case "advance":
        return place.clock.advance(step.ms);
      case "store_fails":
        place.storeError = fault("internal", "no space is left");
        return;
      case "store_works":
        place.storeError = undefined;
        return;
      default:
        // A process starts only on a store that works.
        if (step.type !== "settle") place.storeError = undefined;
        await (step.type === "settle" ? place.settled() : place[step.type]());
    }
  }

  /** Lets everything come to its end. */
  async finish(): Promise<void> {
    const { place } = this;
    place.storeError = undefined;
    for (let round = 0; round < 200; round++) {
      await place.settled();
      for (const run of [...place.runs]) run.end();
      await place.settled();
      // Also those that were accepted when nobody was there any more to be told.
      if ([...place.store.jobs.unfinished()].length === 0) return;
      place.clock.advance(1_000);
    }
    assert.fail(`not ended: ${place.states(this.accepted.map(({ id }) => id)).join(" ")}`);
  }
}

Deno.test("any story ends with each job in one final state, told once, run as often as allowed", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(aStep, { maxLength: 25 }), async (steps) => {
      await using place = await JobPlace.make({
        limits: { jobAttemptsMax: ATTEMPTS_MAX, jobsRunningMax: 2 },
      });
      const story = new Story(place);
      for (const step of steps) await story.take(step);
      await story.finish();
      const lines = place.telemetry.lines;
      for (const { id, idempotent } of story.accepted) {
        const { state, attempt, end } = place.record(id);
        assert.ok(isFinal(state) && end !== undefined);
        // One line at most: a process that is killed between the disk and its log tells nobody.
        const told = lines.filter((line) =>
          line["job_id"] === id && FINAL_LINE.test(String(line["message"]))
        );
        assert.ok(told.length <= 1, `${id} ended ${told.length} times`);
        if (told.length === 1) assert.equal(told[0]?.["message"], `job.${state}`);
        assert.ok(attempt <= (idempotent ? ATTEMPTS_MAX : 1), `attempt ${attempt}`);
        if (state === "completed") assert.ok(attempt >= 1);
      }
      // Nothing is left behind in the runner's memory.
      const active = await place.telemetry.metric("tensor_wasm_jobs_active");
      const queued = await place.telemetry.metric("tensor_wasm_jobs_queued");
      assert.deepEqual([active, queued], [0, 0]);
    }),
    { numRuns: 40 },
  );
});
