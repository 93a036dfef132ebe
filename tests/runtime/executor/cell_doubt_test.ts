/** When a cell is in doubt, and when a call in it is given up. */
import assert from "node:assert/strict";
import { CellDoubt } from "../../../runtime/executor/cell_doubt.ts";
import { ManualClock } from "../../support/clock.ts";

function setUp(): {
  readonly clock: ManualClock;
  readonly doubt: CellDoubt;
  readonly told: boolean[];
  readonly givenUp: string[];
  call(name: string, deadlineMs: number): () => Promise<void>;
} {
  const clock = new ManualClock();
  const told: boolean[] = [];
  const givenUp: string[] = [];
  const doubt: CellDoubt = new CellDoubt(clock, () => told.push(doubt.isDoubtful));
  const call = (name: string, deadlineMs: number): () => Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    doubt.watch(promise, clock.nowMs() + deadlineMs, 1_000, () => givenUp.push(name));
    return async () => {
      resolve();
      await promise;
    };
  };
  return { clock, doubt, told, givenUp, call };
}

Deno.test("CellDoubt: a call that is answered in time leaves no doubt and no timer", async () => {
  const { clock, told, call } = setUp();
  const answer = call("a", 100);
  clock.advance(99);
  await answer();
  clock.advance(10_000);
  assert.deepEqual([told, clock.timerCount], [[], 0]);
});

Deno.test("CellDoubt: from a call's deadline on, until the last that is late is answered", async () => {
  const { clock, doubt, told, givenUp, call } = setUp();
  const [first, second] = [call("a", 100), call("b", 200)];
  clock.advance(100);
  assert.equal(doubt.isDoubtful, true);
  clock.advance(100);
  await first();
  assert.deepEqual(told, [true], "the other is late, too");
  await second();
  assert.deepEqual([told, givenUp, clock.timerCount], [[true, false], [], 0]);
});

Deno.test("CellDoubt gives a call up that is overdue, after a second look", () => {
  const { clock, givenUp, call } = setUp();
  call("a", 100);
  clock.advance(1_199);
  assert.deepEqual(givenUp, []);
  clock.advance(1);
  assert.deepEqual(givenUp, ["a"]);
});

Deno.test("CellDoubt: a kernel that ends late lifts it, a failure stays", () => {
  const { doubt, told } = setUp();
  doubt.noteKernel(true);
  doubt.noteKernel(true);
  doubt.noteKernel(false);
  assert.deepEqual(told, [true, false]);
  doubt.noteFailure();
  doubt.noteKernel(true);
  doubt.noteKernel(false);
  assert.deepEqual([told, doubt.isDoubtful], [[true, false, true], true]);
});
