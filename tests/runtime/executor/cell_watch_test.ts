import assert from "node:assert/strict";
import { CellWatch } from "../../../runtime/executor/cell_watch.ts";
import type { WatchedCell } from "../../../runtime/executor/cell_watch.ts";
import type { Clock } from "../../../runtime/model/clock.ts";
import { ManualClock } from "../../support/clock.ts";

const MEMORY_BYTES_MAX = 1000;

/** A clock whose timers can come late, as when the program was busy with something else. */
class LateClock implements Clock {
  readonly manual = new ManualClock();
  #lateMs = 0;

  nowMs(): number {
    return this.manual.nowMs() + this.#lateMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    return this.manual.after(delayMs, callback);
  }

  /** Time passes in which nothing runs: timers set before come that much later than they were due. */
  stall(ms: number): void {
    this.#lateMs += ms;
  }
}

class FakeCell implements WatchedCell {
  readonly id = 1;
  readonly pid = 77;
  isDead = false;
  residentBytes: number | undefined;
  movedBytes = 0;
  readonly killed: string[] = [];
  readonly #end = Promise.withResolvers<void>();
  readonly ended = this.#end.promise;
  #pings: PromiseWithResolvers<void>[] = [];
  pingsCount = 0;
  answers = true;

  /** Pings that wait for an answer. */
  get openPings(): number {
    return this.#pings.length;
  }

  ping(): Promise<void> {
    this.pingsCount++;
    if (this.answers) return Promise.resolve();
    const ping = Promise.withResolvers<void>();
    this.#pings.push(ping);
    return ping.promise;
  }

  answer(): void {
    for (const ping of this.#pings.splice(0)) ping.resolve();
  }

  failPings(): void {
    for (const ping of this.#pings.splice(0)) ping.reject(new Error("connection is gone"));
  }

  kill(reason: string): void {
    this.killed.push(reason);
    this.isDead = true;
  }

  end(): void {
    this.isDead = true;
    this.#end.resolve();
  }
}

class Setup {
  readonly clock = new LateClock();
  readonly cell = new FakeCell();
  readonly retired: FakeCell[] = [];
  readonly roundTripsMs: number[] = [];
  /** What the system says of the cell's memory. */
  bytes: number | undefined = 0;
  readsCount = 0;
  read = (): Promise<number | undefined> => Promise.resolve(this.bytes);

  constructor(pingTimeoutMs = 5000) {
    const watch = new CellWatch<FakeCell>({
      clock: this.clock,
      pingTimeoutMs,
      memoryBytesMax: MEMORY_BYTES_MAX,
      readResidentBytes: (pid) => {
        assert.equal(pid, this.cell.pid);
        this.readsCount++;
        return this.read();
      },
      retire: (cell, reason) => {
        assert.equal(reason, "memory");
        this.retired.push(cell);
      },
      onPing: (ms) => this.roundTripsMs.push(ms),
    });
    watch.watch(this.cell);
  }

  /** Moves time on in small steps, and lets everything that waits for a promise go on after each. */
  async pass(ms: number, stepMs = 50): Promise<void> {
    for (let leftMs = ms; leftMs > 0; leftMs -= stepMs) {
      this.clock.manual.advance(Math.min(stepMs, leftMs));
      await settle();
    }
  }
}

async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}

for (const [pingTimeoutMs, intervalMs] of [[5000, 1000], [2000, 1000], [1000, 500], [100, 50]] as const) {
  Deno.test(`CellWatch pings every ${intervalMs} ms where an answer may take ${pingTimeoutMs} ms`, async () => {
    const setup = new Setup(pingTimeoutMs);
    await setup.pass(intervalMs - 1, 1);
    assert.equal(setup.cell.pingsCount, 0);
    await setup.pass(1, 1);
    assert.equal(setup.cell.pingsCount, 1);
    await setup.pass(9 * intervalMs, intervalMs);
    assert.equal(setup.cell.pingsCount, 10);
    assert.deepEqual(setup.cell.killed, []);
  });
}

for (const pingTimeoutMs of [60_000, 5000, 2500, 101, 100]) {
  Deno.test(`CellWatch kills a cell ${pingTimeoutMs} ms after a ping without an answer, not before`, async () => {
    const setup = new Setup(pingTimeoutMs);
    setup.cell.answers = false;
    await setup.pass(Math.min(1000, pingTimeoutMs / 2), 10);
    assert.equal(setup.cell.pingsCount, 1);
    await setup.pass(pingTimeoutMs - 1, 10);
    assert.deepEqual(setup.cell.killed, []);
    await setup.pass(1);
    assert.deepEqual(setup.cell.killed, ["unresponsive"]);
    assert.equal(setup.cell.pingsCount, 1);
  });
}

Deno.test("CellWatch spares a cell that answers at the last moment, and asks it again", async () => {
  const setup = new Setup();
  setup.cell.answers = false;
  for (let i = 1; i <= 5; i++) {
    while (setup.cell.openPings === 0) await setup.pass(1, 1);
    assert.equal(setup.cell.pingsCount, i);
    await setup.pass(4999);
    setup.cell.answer();
    await settle();
  }
  assert.deepEqual(setup.cell.killed, []);
  assert.deepEqual(setup.roundTripsMs, [4999, 4999, 4999, 4999, 4999]);
});

Deno.test("CellWatch has one ping under way at a time", async () => {
  const setup = new Setup();
  setup.cell.answers = false;
  for (let i = 0; i < 59; i++) {
    await setup.pass(100);
    assert.ok(setup.cell.openPings <= 1);
  }
  assert.equal(setup.cell.pingsCount, 1);
});

Deno.test("CellWatch takes a ping that fails for one without an answer", async () => {
  const setup = new Setup();
  setup.cell.answers = false;
  await setup.pass(1000);
  setup.cell.failPings();
  await setup.pass(4999);
  assert.deepEqual(setup.cell.killed, []);
  await setup.pass(1);
  assert.deepEqual(setup.cell.killed, ["unresponsive"]);
});

Deno.test("CellWatch does not hold its own delay against a cell", async () => {
  const setup = new Setup();
  setup.cell.answers = false;
  await setup.pass(1500);
  setup.clock.stall(60_000);
  await setup.pass(500);
  assert.deepEqual(setup.cell.killed, []);
  setup.cell.answer();
  await setup.pass(5000);
  assert.deepEqual(setup.cell.killed, []);
});

Deno.test("CellWatch gives the answer another interval when the gateway was stuck as it was due", async () => {
  for (const [lateMs, isExcused] of [[500, false], [501, true]] as const) {
    const setup = new Setup();
    setup.cell.answers = false;
    await setup.pass(5999);
    setup.clock.stall(lateMs);
    await setup.pass(1);
    assert.deepEqual(setup.cell.killed, isExcused ? [] : ["unresponsive"], `${lateMs} ms late`);
    await setup.pass(999);
    assert.deepEqual(setup.cell.killed, isExcused ? [] : ["unresponsive"]);
    await setup.pass(1);
    assert.deepEqual(setup.cell.killed, ["unresponsive"]);
  }
});

Deno.test("CellWatch judges also when every one of its timers is late, after twice the time at most", async () => {
  const setup = new Setup();
  setup.cell.answers = false;
  await setup.pass(1000);
  let steps = 0;
  while (setup.cell.killed.length === 0 && steps < 100) {
    setup.clock.stall(900);
    await setup.pass(1000);
    steps++;
  }
  assert.equal(steps, 10);
});

Deno.test("CellWatch bears with a cell whose answer stands behind bytes that move", async () => {
  const setup = new Setup();
  setup.cell.answers = false;
  await setup.pass(1000);
  for (let i = 0; i < 20; i++) {
    setup.cell.movedBytes++;
    await setup.pass(5000);
    assert.deepEqual(setup.cell.killed, [], `after ${i} times`);
  }
  // The last of them was seen 1 s after it had moved.
  await setup.pass(999);
  assert.deepEqual(setup.cell.killed, []);
  await setup.pass(1);
  assert.deepEqual([setup.cell.killed, setup.cell.pingsCount], [["unresponsive"], 1]);
});

Deno.test("CellWatch does not count what had moved before the ping", async () => {
  const setup = new Setup();
  setup.cell.answers = false;
  setup.cell.movedBytes = 1000;
  await setup.pass(5999);
  assert.deepEqual(setup.cell.killed, []);
  await setup.pass(1);
  assert.deepEqual(setup.cell.killed, ["unresponsive"]);
});

Deno.test("CellWatch kills nobody who is dead already, and stops asking", async () => {
  const setup = new Setup();
  setup.cell.answers = false;
  setup.bytes = 10 * MEMORY_BYTES_MAX;
  await setup.pass(900);
  setup.cell.isDead = true;
  await setup.pass(10_000);
  assert.deepEqual([setup.cell.killed, setup.cell.pingsCount, setup.readsCount], [[], 0, 0]);
  assert.equal(setup.clock.manual.timerCount, 0);
});

Deno.test("CellWatch leaves no timer when a cell has ended, at whatever moment", async () => {
  for (const ms of [0, 1, 1000, 1500, 3000]) {
    for (const answers of [true, false]) {
      const setup = new Setup();
      setup.cell.answers = answers;
      await setup.pass(ms);
      setup.cell.end();
      await settle();
      assert.equal(setup.clock.manual.timerCount, 0);
    }
  }
});

Deno.test("CellWatch leaves no timer when it has killed a cell", async () => {
  const setup = new Setup();
  setup.cell.answers = false;
  await setup.pass(6000);
  setup.cell.end();
  await settle();
  assert.deepEqual([setup.cell.killed, setup.clock.manual.timerCount], [["unresponsive"], 0]);
});

Deno.test("CellWatch.watch() of a dead cell sets nothing up", () => {
  const clock = new ManualClock();
  const cell = new FakeCell();
  cell.isDead = true;
  const nothing = (): Promise<undefined> => Promise.resolve(undefined);
  new CellWatch({
    clock,
    pingTimeoutMs: 100,
    memoryBytesMax: 1,
    readResidentBytes: nothing,
    retire: () => {},
  }).watch(cell);
  assert.equal(clock.timerCount, 0);
});

Deno.test("CellWatch reads the memory of a cell every second", async () => {
  const setup = new Setup();
  await setup.pass(999);
  assert.equal(setup.readsCount, 0);
  await setup.pass(1);
  assert.equal(setup.readsCount, 1);
  await setup.pass(9000);
  assert.equal(setup.readsCount, 10);
});

Deno.test("CellWatch has one reading under way at a time", async () => {
  const setup = new Setup();
  const slow = Promise.withResolvers<number>();
  setup.read = () => slow.promise;
  await setup.pass(10_000);
  assert.equal(setup.readsCount, 1);
  slow.resolve(0);
  await setup.pass(1000);
  assert.equal(setup.readsCount, 2);
});

const SIZES: readonly (readonly [bytes: number, verdict: "kept" | "retired" | "killed"])[] = [
  [MEMORY_BYTES_MAX, "kept"],
  [MEMORY_BYTES_MAX + 1, "retired"],
  [1.5 * MEMORY_BYTES_MAX, "retired"],
  [1.5 * MEMORY_BYTES_MAX + 1, "killed"],
];

for (const [bytes, verdict] of SIZES) {
  Deno.test(`CellWatch: a cell of ${bytes} bytes where ${MEMORY_BYTES_MAX} are allowed is ${verdict}`, async () => {
    const setup = new Setup();
    setup.bytes = bytes;
    await setup.pass(10_000);
    assert.equal(setup.retired.length, verdict === "retired" ? 1 : 0);
    assert.deepEqual(setup.cell.killed, verdict === "killed" ? ["memory"] : []);
  });
}

Deno.test("CellWatch kills a cell that grows on after it was retired", async () => {
  const setup = new Setup();
  setup.bytes = MEMORY_BYTES_MAX + 1;
  await setup.pass(2000);
  setup.bytes = 2 * MEMORY_BYTES_MAX;
  await setup.pass(1000);
  assert.deepEqual([setup.retired.length, setup.cell.killed], [1, ["memory"]]);
});

Deno.test("CellWatch goes by what a cell says of itself where the system does not tell", async () => {
  for (const read of [() => Promise.resolve(undefined), () => Promise.reject(new Error("no"))]) {
    const setup = new Setup();
    setup.read = read;
    await setup.pass(2000);
    assert.equal(setup.retired.length, 0);
    setup.cell.residentBytes = MEMORY_BYTES_MAX + 1;
    await setup.pass(1000);
    assert.equal(setup.retired.length, 1);
  }
});

Deno.test("CellWatch believes the system rather than the cell", async () => {
  const setup = new Setup();
  setup.bytes = 0;
  setup.cell.residentBytes = 10 * MEMORY_BYTES_MAX;
  await setup.pass(2000);
  assert.deepEqual([setup.retired.length, setup.cell.killed], [0, []]);
});

Deno.test("CellWatch does nothing with a reading that comes after the end", async () => {
  const setup = new Setup();
  const slow = Promise.withResolvers<number>();
  setup.read = () => slow.promise;
  await setup.pass(1000);
  setup.cell.end();
  slow.resolve(10 * MEMORY_BYTES_MAX);
  await settle();
  assert.deepEqual([setup.retired.length, setup.cell.killed], [0, []]);
});
