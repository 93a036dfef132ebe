/** Which calls suffer when a GPU fails, how long a kernel may linger, and what is told of it. */
import assert from "node:assert/strict";
import { GpuKeeper } from "../../../runtime/cell/gpu_keeper.ts";
import type { GpuUser, KeptDevice } from "../../../runtime/cell/gpu_keeper.ts";
import type { Outcome } from "../../../runtime/model/outcome.ts";
import { ManualClock } from "../../support/clock.ts";

class User implements GpuUser {
  isBusy = false;
  readonly deadlineAtMs: number;
  readonly outcomes: Outcome[] = [];

  constructor(deadlineAtMs: number) {
    this.deadlineAtMs = deadlineAtMs;
  }

  stop(outcome: Outcome): void {
    this.outcomes.push(outcome);
  }
}

interface Setup {
  readonly keeper: GpuKeeper;
  readonly clock: ManualClock;
  readonly told: string[];
  readonly doubts: boolean[];
  readonly device: { allocatedBytes: number; reaps: number; isOpen: boolean };
  user(deadlineMs?: number): User;
}

function setUp(): Setup {
  const clock = new ManualClock();
  const told: string[] = [];
  const doubts: boolean[] = [];
  const state = {
    allocatedBytes: 0,
    reaps: 0,
    isOpen: true,
    reap: () => void state.reaps++,
    createContext: () => assert.fail("nobody asks for one"),
    info: {} as KeptDevice["info"],
    [Symbol.dispose]: () => void (state.isOpen = false),
  };
  const keeper = new GpuKeeper(state, 100, clock);
  keeper.onFailing = (reason) => void told.push(reason);
  keeper.onDoubt = (isDoubtful) => void doubts.push(isDoubtful);
  const user = (deadlineMs = 1_000): User => {
    const made = new User(clock.nowMs() + deadlineMs);
    keeper.enter(made);
    return made;
  };
  return { keeper, clock, told, doubts, device: state, user };
}

const FAULT = { type: "gpu_failed", kind: "gpu_fault", status: "CUDA_ERROR_ILLEGAL_ADDRESS" } as const;
const RESET = { ...FAULT, kind: "gpu_reset" } as const;
const STATUS = { statusName: FAULT.status } as const;

Deno.test("GpuKeeper: calls with work under way have the fault, others are reset, the gateway is told once", () => {
  const { keeper, told, user } = setUp();
  const [busy, idle, over] = [user(), user(), user()];
  busy.isBusy = true;
  keeper.leave(over);
  keeper.deviceFailed(STATUS);
  keeper.deviceFailed(STATUS);
  const late = user();
  assert.deepEqual([busy.outcomes, idle.outcomes, over.outcomes], [[FAULT], [RESET], []]);
  assert.deepEqual([late.outcomes, told], [[RESET], ["gpu_fault"]]);
});

Deno.test("GpuKeeper tells of a failure that came before anybody listened", () => {
  const { keeper, told } = setUp();
  keeper.deviceFailed(STATUS);
  keeper.onFailing = (reason) => void told.push(`again ${reason}`);
  assert.deepEqual(told, ["gpu_fault", "again gpu_fault"]);
});

Deno.test("GpuKeeper waits for a kernel that ends soon after its call", () => {
  const { keeper, clock, told, doubts, device, user } = setUp();
  const call = user(0);
  call.isBusy = true;
  assert.equal(keeper.leave(call), true);
  assert.deepEqual(doubts, [true], "told before the call is answered");
  clock.advance(200);
  assert.ok(device.reaps >= 9);
  call.isBusy = false;
  clock.advance(200);
  assert.deepEqual([told, doubts, clock.timerCount], [[], [true, false], 0]);
});

Deno.test("GpuKeeper is in doubt until the last of several late kernels has ended", () => {
  const { keeper, clock, doubts, user } = setUp();
  const [first, second] = [user(0), user(0)];
  first.isBusy = second.isBusy = true;
  keeper.leave(first);
  keeper.leave(second);
  first.isBusy = false;
  clock.advance(100);
  assert.deepEqual(doubts, [true]);
  second.isBusy = false;
  clock.advance(100);
  assert.deepEqual(doubts, [true, false]);
});

Deno.test("GpuKeeper gives the device up for a kernel that does not end, and resets the others", () => {
  const { keeper, clock, told, doubts, user } = setUp();
  const [call, beside] = [user(0), user()];
  call.isBusy = beside.isBusy = true;
  keeper.leave(call);
  clock.advance(240);
  assert.deepEqual(told, []);
  clock.advance(20);
  assert.deepEqual(told, ["gpu_timeout"]);
  assert.deepEqual(doubts, [true], "it is not well again");
  assert.deepEqual(beside.outcomes, [{ ...RESET, status: "CUDA_ERROR_LAUNCH_TIMEOUT" }]);
  assert.equal(clock.timerCount, 0);
});

Deno.test("GpuKeeper: a kernel whose client left may run on to its own deadline", () => {
  const { keeper, clock, told, doubts, user } = setUp();
  const call = user(5_000);
  call.isBusy = true;
  keeper.leave(call);
  clock.advance(4_980);
  assert.deepEqual(doubts, []);
  clock.advance(20);
  assert.deepEqual(doubts, [true]);
  clock.advance(240);
  assert.deepEqual(told, []);
  clock.advance(20);
  assert.deepEqual(told, ["gpu_timeout"]);
});

Deno.test("GpuKeeper: a call that leaves nothing behind leaves no timer", () => {
  const { keeper, clock, user } = setUp();
  assert.equal(keeper.leave(user()), false);
  assert.equal(clock.timerCount, 0);
});

Deno.test("GpuKeeper bounds the memory of all calls together", () => {
  const { keeper, device } = setUp();
  assert.equal(keeper.hasRoom(100), true);
  assert.equal(keeper.hasRoom(101), false);
  device.allocatedBytes = 60;
  assert.deepEqual([keeper.hasRoom(40), keeper.hasRoom(41)], [true, false]);
});

Deno.test("GpuKeeper closes the device, and asks no more", () => {
  const { keeper, clock, device, user } = setUp();
  const call = user();
  call.isBusy = true;
  keeper.leave(call);
  keeper[Symbol.dispose]();
  assert.deepEqual([device.isOpen, clock.timerCount], [false, 0]);
});
