import assert from "node:assert/strict";
import fc from "fast-check";
import { isCrash, QUARANTINE, Quarantine } from "../../../runtime/executor/quarantine.ts";
import { RuntimeFault } from "../../../runtime/model/fault.ts";
import { ManualClock } from "../../support/clock.ts";

const { callsToClear, callsToClearMax, digestsMax, longestMs, memoryMs, shortestMs, strikesMax } = QUARANTINE;

interface Setup {
  readonly clock: ManualClock;
  readonly quarantine: Quarantine;
}

function setUp(): Setup {
  const clock = new ManualClock();
  return { clock, quarantine: new Quarantine(clock) };
}

function refusal(quarantine: Quarantine, digest: string): RuntimeFault {
  try {
    assert.fail(`${digest} may run ${quarantine.check(digest)}`);
  } catch (error) {
    if (error instanceof RuntimeFault) return error;
    throw error;
  }
}

function strike(quarantine: Quarantine, digest: string, times: number): void {
  for (let i = 0; i < times; i++) quarantine.cellCrashed([digest]);
}

/** How many calls must end well before the module may share a cell. */
function clear(quarantine: Quarantine, digest: string): number {
  let calls = 0;
  for (; quarantine.check(digest) === "alone"; calls++) quarantine.ranWell(digest);
  return calls;
}

Deno.test("Quarantine.check() lets an unknown module share its cell", () => {
  const { quarantine } = setUp();
  quarantine.ranWell("a");
  assert.equal(quarantine.check("a"), "shared");
  assert.equal(quarantine.count, 0);
});

Deno.test("Quarantine.cellCrashed() with several modules makes each a suspect and no other", () => {
  const { quarantine } = setUp();
  quarantine.cellCrashed(["a", "b"]);
  assert.deepEqual(["a", "b", "c"].map((digest) => quarantine.check(digest)), ["alone", "alone", "shared"]);
});

Deno.test("Quarantine.cellCrashed() with no module inside is evidence of nothing", () => {
  const { quarantine } = setUp();
  quarantine.cellCrashed([]);
  assert.equal(quarantine.count, 0);
});

Deno.test("Quarantine.ranWell() clears a suspect at its third call, not at its second", () => {
  const { quarantine } = setUp();
  quarantine.cellCrashed(["a", "b"]);
  for (let i = 1; i < callsToClear; i++) quarantine.ranWell("a");
  assert.equal(quarantine.check("a"), "alone");
  quarantine.ranWell("a");
  assert.equal(quarantine.check("a"), "shared");
  assert.equal(quarantine.check("b"), "alone");
});

Deno.test("Quarantine clears a suspect later each time it comes under suspicion again, up to a bound", () => {
  const { quarantine } = setUp();
  const calls: number[] = [];
  for (let i = 0; i < 10; i++) {
    quarantine.cellCrashed(["a", "b"]);
    calls.push(clear(quarantine, "a"));
  }
  assert.deepEqual(calls, [3, 6, 12, 24, 48, 96, 192, 384, callsToClearMax, callsToClearMax]);
});

Deno.test("Quarantine holds a suspicion against the next one for ten minutes and no longer", () => {
  for (const [pauseMs, calls] of [[memoryMs - 1, 2 * callsToClear], [memoryMs, callsToClear]] as const) {
    const { clock, quarantine } = setUp();
    quarantine.cellCrashed(["a", "b"]);
    clock.advance(pauseMs);
    quarantine.cellCrashed(["a", "b"]);
    assert.equal(clear(quarantine, "a"), calls);
  }
});

Deno.test("Quarantine keeps a suspect alone until it has shown itself harmless, however long that takes", () => {
  const { clock, quarantine } = setUp();
  quarantine.cellCrashed(["a", "b"]);
  clock.advance(100 * memoryMs);
  assert.equal(quarantine.check("a"), "alone");
});

Deno.test("Quarantine never refuses a module that crashed only in company", () => {
  const { quarantine } = setUp();
  for (let i = 0; i < 100; i++) quarantine.cellCrashed(["a", "b"]);
  assert.equal(quarantine.check("a"), "alone");
});

Deno.test("Quarantine.check() refuses at the third strike, not at the second", () => {
  const { quarantine } = setUp();
  strike(quarantine, "a", strikesMax - 1);
  assert.equal(quarantine.check("a"), "alone");
  strike(quarantine, "a", 1);
  const { code, message, retryAfterSeconds } = refusal(quarantine, "a");
  assert.deepEqual(
    [code, message, retryAfterSeconds],
    [
      "module_quarantined",
      "Module is quarantined for crashing the processes that ran it: strikesMax is 3, got 3",
      shortestMs / 1000,
    ],
  );
  assert.equal(quarantine.check("b"), "shared");
});

Deno.test("Quarantine.cellCrashed() takes many calls of one module for one module", () => {
  const { quarantine } = setUp();
  for (let i = 0; i < strikesMax; i++) quarantine.cellCrashed(["a", "a", "a"].values());
  assert.equal(refusal(quarantine, "a").code, "module_quarantined");
});

Deno.test("Quarantine counts strikes within ten minutes of each other and no others", () => {
  for (const [pauseMs, isRefused] of [[memoryMs - 1, true], [memoryMs, false]] as const) {
    const { clock, quarantine } = setUp();
    strike(quarantine, "a", 1);
    clock.advance(pauseMs);
    strike(quarantine, "a", strikesMax - 1);
    if (isRefused) refusal(quarantine, "a");
    else assert.equal(quarantine.check("a"), "alone");
  }
});

Deno.test("Quarantine lets each strike grow old by itself", () => {
  const { clock, quarantine } = setUp();
  for (let i = 0; i < 10; i++) {
    strike(quarantine, "a", 1);
    assert.equal(quarantine.check("a"), "alone");
    clock.advance(memoryMs / 2);
  }
});

Deno.test("Quarantine ends to the millisecond, and says so in whole seconds", () => {
  const { clock, quarantine } = setUp();
  strike(quarantine, "a", strikesMax);
  clock.advance(shortestMs - 1001);
  assert.equal(refusal(quarantine, "a").retryAfterSeconds, 2);
  clock.advance(1000);
  assert.equal(refusal(quarantine, "a").retryAfterSeconds, 1);
  clock.advance(1);
  assert.equal(quarantine.check("a"), "alone");
});

Deno.test("Quarantine doubles with each further strike up to an hour, the times of refusal left out", () => {
  const { clock, quarantine } = setUp();
  strike(quarantine, "a", strikesMax - 1);
  const seconds: (number | undefined)[] = [];
  for (let i = 0; i < 8; i++) {
    strike(quarantine, "a", 1);
    const { retryAfterSeconds = 0 } = refusal(quarantine, "a");
    seconds.push(retryAfterSeconds);
    clock.advance(retryAfterSeconds * 1000 + memoryMs - 1);
  }
  assert.deepEqual(seconds, [60, 120, 240, 480, 960, 1920, 3600, longestMs / 1000]);
  clock.advance(1);
  strike(quarantine, "a", strikesMax - 1);
  assert.equal(quarantine.check("a"), "alone");
});

Deno.test("Quarantine does not count crashes of calls that began before it", () => {
  const { clock, quarantine } = setUp();
  strike(quarantine, "a", strikesMax);
  clock.advance(shortestMs - 1);
  strike(quarantine, "a", 100);
  assert.equal(refusal(quarantine, "a").retryAfterSeconds, 1);
  clock.advance(1);
  assert.equal(quarantine.check("a"), "alone");
  strike(quarantine, "a", 1);
  assert.match(refusal(quarantine, "a").message, /strikesMax is 3, got 4$/);
});

Deno.test("Quarantine.ranWell() does not take strikes back", () => {
  const { quarantine } = setUp();
  strike(quarantine, "a", strikesMax - 1);
  clear(quarantine, "a");
  assert.equal(quarantine.check("a"), "shared");
  strike(quarantine, "a", 1);
  refusal(quarantine, "a");
});

Deno.test("Quarantine.ranWell() forgets a module whose crashes are past", () => {
  const { clock, quarantine } = setUp();
  quarantine.cellCrashed(["a", "b"]);
  clock.advance(memoryMs);
  clear(quarantine, "a");
  assert.equal(quarantine.count, 1);
});

Deno.test("Quarantine does not count the time of a refusal as time without a crash", () => {
  for (const [pauseMs, calls] of [[memoryMs - 1, 16 * callsToClear], [memoryMs, callsToClear]] as const) {
    const { clock, quarantine } = setUp();
    strike(quarantine, "a", strikesMax);
    // Calls that had begun before it crash in company.
    quarantine.cellCrashed(["a", "b"]);
    clock.advance(shortestMs + pauseMs);
    quarantine.cellCrashed(["a", "b"]);
    assert.equal(clear(quarantine, "a"), calls);
  }
});

Deno.test("Quarantine dates the suspicion of a strike from the end of the refusal", () => {
  for (const [pauseMs, calls] of [[memoryMs - 1, 8 * callsToClear], [memoryMs, callsToClear]] as const) {
    const { clock, quarantine } = setUp();
    strike(quarantine, "a", strikesMax);
    clock.advance(shortestMs + pauseMs);
    quarantine.cellCrashed(["a", "b"]);
    assert.equal(clear(quarantine, "a"), calls);
  }
});

Deno.test("Quarantine remembers ten thousand modules and forgets the one that crashed longest ago", () => {
  const { quarantine } = setUp();
  const digests = Array.from({ length: digestsMax }, (_, i) => `d${i}`);
  quarantine.cellCrashed(digests);
  assert.equal(quarantine.count, digestsMax);
  assert.equal(quarantine.check("d0"), "alone");
  quarantine.cellCrashed(["d0"]);
  quarantine.cellCrashed(["new"]);
  assert.equal(quarantine.count, digestsMax);
  assert.deepEqual(["d0", "d1", "d2", "new"].map((digest) => quarantine.check(digest)), [
    "alone",
    "shared",
    "alone",
    "alone",
  ]);
});

Deno.test("Quarantine refuses only with three solitary crashes, for an hour at most, whatever happens", () => {
  const step = fc.oneof(
    fc.record({
      type: fc.constant("crash" as const),
      digests: fc.subarray(["a", "b", "c"], { minLength: 1 }),
    }),
    fc.record({ type: fc.constant("well" as const), digest: fc.constantFrom("a", "b", "c") }),
    fc.record({ type: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 2 * memoryMs }) }),
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const { clock, quarantine } = setUp();
    const solitary = new Map<string, number>();
    for (const each of steps) {
      if (each.type === "wait") clock.advance(each.ms);
      else if (each.type === "well") quarantine.ranWell(each.digest);
      else {
        quarantine.cellCrashed(each.digests);
        const [only = "", ...others] = each.digests;
        if (others.length === 0) solitary.set(only, (solitary.get(only) ?? 0) + 1);
      }
      for (const digest of ["a", "b", "c"]) {
        try {
          quarantine.check(digest);
        } catch (error) {
          assert.ok(error instanceof RuntimeFault);
          assert.ok((solitary.get(digest) ?? 0) >= strikesMax);
          const { retryAfterSeconds = 0 } = error;
          assert.ok(retryAfterSeconds >= 1 && retryAfterSeconds <= longestMs / 1000);
        }
      }
    }
    clock.advance(longestMs);
    for (const digest of ["a", "b", "c"]) assert.doesNotThrow(() => quarantine.check(digest));
  }));
});

const REASONS: readonly (readonly [reason: string, isEvidence: boolean])[] = [
  ["cell_out_of_memory", true],
  ["cell_exit_0", true],
  ["cell_exit_133", true],
  ["cell_sigtrap", true],
  ["cell_sigabrt", true],
  ["cell_sigsegv", true],
  ["cell_sigill", true],
  ["cell_sigbus", true],
  ["cell_sigfpe", true],
  ["cell_sigsys", true],
  ["unresponsive", true],
  ["memory", true],
  ["log_overflow", true],
  ["protocol_violation", true],
  ["cell_sigkill", false],
  ["cell_sigterm", false],
  ["cell_sigint", false],
  ["cell_exit_", false],
  ["closed", false],
  ["idle", false],
  ["quarantined", false],
  ["deadline_elapsed", false],
  ["overdue", true],
  ["", false],
];

for (const [reason, isEvidence] of REASONS) {
  Deno.test(`isCrash() takes ${JSON.stringify(reason)} ${isEvidence ? "" : "not "}for evidence`, () => {
    assert.equal(isCrash(reason), isEvidence);
  });
}
