import assert from "node:assert/strict";
import { Fiber } from "../../../runtime/cell/fiber.ts";
import { MemoryGuard } from "../../../runtime/cell/memory_guard.ts";
import type { MemoryBounds } from "../../../runtime/cell/memory_guard.ts";
import type { Outcome } from "../../../runtime/model/outcome.ts";

const PAGE_BYTES = 65_536;
const HEAP_MAX = 1000;

function aFiber(): Fiber {
  return new Fiber({ tenant: "0", deadlineMs: 1, deadlineAtMs: 1, fuelMax: 0 });
}

function pages(initial: number): WebAssembly.Memory {
  return new WebAssembly.Memory({ initial });
}

function setUp(bounds: Partial<MemoryBounds> = {}): {
  guard: MemoryGuard;
  heap: { usedBytes: number; looks: number };
} {
  const heap = { usedBytes: 0, looks: 0 };
  const guard = new MemoryGuard({
    memoryBytesMax: 10 * PAGE_BYTES,
    heapBytesMax: HEAP_MAX,
    heapUsedBytes: () => {
      heap.looks++;
      return heap.usedBytes;
    },
    ...bounds,
  });
  return { guard, heap };
}

/** Checks until the guard looks at the heap: it does at every third check of a call, `enter` included. */
function checkHeap({ guard, heap }: ReturnType<typeof setUp>, fiber: Fiber): Outcome | undefined {
  const looks = heap.looks;
  for (;;) {
    const outcome = guard.check(fiber);
    if (heap.looks > looks) return outcome;
    assert.equal(outcome, undefined);
  }
}

Deno.test("MemoryGuard: calls may hold exactly the bound together, and not a page more", () => {
  const { guard } = setUp();
  const memory = pages(5);
  const [first, second] = [aFiber(), aFiber()];
  assert.equal(guard.enter(first, pages(5)), undefined);
  assert.equal(guard.enter(second, memory), undefined);
  assert.equal(guard.totalBytes, 10 * PAGE_BYTES);
  assert.equal(guard.check(second), undefined);
  memory.grow(1);
  assert.deepEqual(guard.check(second), {
    type: "exhausted",
    limit: "memory_bytes",
    max: 10 * PAGE_BYTES,
    actual: 11 * PAGE_BYTES,
  });
});

Deno.test("MemoryGuard: a call whose instance does not fit is ended as it enters", () => {
  const { guard } = setUp();
  assert.equal(guard.enter(aFiber(), pages(4)), undefined);
  assert.equal(guard.enter(aFiber(), pages(7))?.type, "exhausted");
});

Deno.test("MemoryGuard: a small call does not pay for a large one; the average does", () => {
  const { guard } = setUp();
  const memory = pages(6);
  const [large, small, average] = [aFiber(), aFiber(), aFiber()];
  for (const [fiber, own] of [[large, memory], [small, pages(1)], [average, pages(3)]] as const) {
    guard.enter(fiber, own);
  }
  memory.grow(1);
  assert.equal(guard.check(small), undefined);
  assert.equal(guard.check(average), undefined);
  assert.equal(guard.check(large)?.type, "exhausted");
  assert.equal(guard.leave(large), 7 * PAGE_BYTES);
  assert.equal(guard.totalBytes, 4 * PAGE_BYTES);
  assert.equal(guard.check(average), undefined);
});

Deno.test("MemoryGuard: one of equals goes, so that the others can stay", () => {
  const { guard } = setUp();
  const fibers = Array.from({ length: 11 }, aFiber);
  const ended = fibers.filter((fiber) => guard.enter(fiber, pages(1)) !== undefined);
  assert.deepEqual(ended, fibers.slice(-1));
});

Deno.test("MemoryGuard.leave() answers with the size at the end and leaves nothing behind", () => {
  const { guard } = setUp();
  const memory = pages(2);
  const fiber = aFiber();
  guard.enter(fiber, memory);
  memory.grow(3);
  assert.equal(guard.leave(fiber), 5 * PAGE_BYTES);
  assert.equal(guard.totalBytes, 0);
  assert.equal(guard.leave(fiber), 0);
  assert.equal(guard.totalBytes, 0);
  assert.equal(guard.check(fiber), undefined);
});

Deno.test("MemoryGuard: a call without a memory holds none", () => {
  const { guard } = setUp();
  const fiber = aFiber();
  assert.equal(guard.enter(fiber, undefined), undefined);
  assert.equal(guard.leave(fiber), 0);
});

Deno.test("MemoryGuard looks at the heap at every third check of a call, and first when it is made", () => {
  const { guard, heap } = setUp();
  const fiber = aFiber();
  assert.equal(heap.looks, 1);
  guard.enter(fiber, undefined);
  for (let check = 2; check <= 9; check++) guard.check(fiber);
  assert.equal(heap.looks, 1 + 3);
});

Deno.test("MemoryGuard: the heap may be filled to 70 %, and not a byte more, by who made it grow most", () => {
  const own = setUp();
  const { guard, heap } = own;
  const fiber = aFiber();
  guard.enter(fiber, undefined);
  guard.check(fiber);
  heap.usedBytes = 700;
  assert.equal(guard.check(fiber), undefined);
  heap.usedBytes = 701;
  assert.deepEqual(checkHeap(own, fiber), {
    type: "exhausted",
    limit: "heap_bytes",
    max: 700,
    actual: 701,
  });
});

Deno.test("MemoryGuard: who made the heap grow by less than 15 % of its size is never blamed", () => {
  const own = setUp();
  const { guard, heap } = own;
  const [large, small, larger] = [aFiber(), aFiber(), aFiber()];
  for (const fiber of [large, small, larger]) guard.enter(fiber, undefined);
  heap.usedBytes = 650;
  assert.equal(checkHeap(own, large), undefined);
  guard.leave(large);
  heap.usedBytes += 149;
  assert.equal(checkHeap(own, small), undefined);
  heap.usedBytes = 960;
  assert.equal(checkHeap(own, larger)?.type, "exhausted");
});

Deno.test("MemoryGuard: exactly 15 % of growth is enough for blame", () => {
  const own = setUp();
  const { guard, heap } = own;
  const [gone, fiber] = [aFiber(), aFiber()];
  for (const call of [gone, fiber]) guard.enter(call, undefined);
  heap.usedBytes = 600;
  checkHeap(own, gone);
  guard.leave(gone);
  heap.usedBytes = 749;
  assert.equal(checkHeap(own, fiber), undefined);
  heap.usedBytes = 750;
  assert.equal(checkHeap(own, fiber)?.type, "exhausted");
});

Deno.test("MemoryGuard: up to 85 % only who made the heap grow most is stopped, then whoever has a part", () => {
  const own = setUp();
  const { guard, heap } = own;
  const [most, some] = [aFiber(), aFiber()];
  for (const fiber of [most, some]) guard.enter(fiber, undefined);
  heap.usedBytes = 500;
  assert.equal(checkHeap(own, most), undefined);
  heap.usedBytes = 850;
  assert.equal(checkHeap(own, some), undefined);
  heap.usedBytes = 851;
  assert.equal(checkHeap(own, some)?.type, "exhausted");
});

Deno.test("MemoryGuard: what the cell itself uses is nobody's growth", () => {
  const heap = { usedBytes: 800, looks: 0 };
  const heapUsedBytes = (): number => (heap.looks++, heap.usedBytes);
  const own = { ...setUp({ heapUsedBytes }), heap };
  const { guard } = own;
  const fiber = aFiber();
  guard.enter(fiber, undefined);
  assert.equal(checkHeap(own, fiber), undefined);
  heap.usedBytes = 950;
  assert.equal(checkHeap(own, fiber)?.type, "exhausted");
});

Deno.test("MemoryGuard: what the heap grew by while others ran is not the doing of who comes on", () => {
  const own = setUp();
  const { guard, heap } = own;
  const [first, second] = [aFiber(), aFiber()];
  for (const fiber of [first, second]) guard.enter(fiber, undefined);
  guard.comeOn(first);
  heap.usedBytes = 900;
  guard.comeOn(second);
  assert.equal(checkHeap(own, second), undefined);
  assert.equal(checkHeap(own, second), undefined);
  heap.usedBytes = 500;
  guard.comeOn(first);
  heap.usedBytes = 900;
  assert.equal(checkHeap(own, first)?.type, "exhausted");
});

Deno.test("MemoryGuard: a heap that was collected makes nobody's growth smaller, and nobody's larger", () => {
  const own = setUp();
  const { guard, heap } = own;
  const [fiber, other] = [aFiber(), aFiber()];
  for (const call of [fiber, other]) guard.enter(call, undefined);
  heap.usedBytes = 690;
  assert.equal(checkHeap(own, fiber), undefined);
  heap.usedBytes = 100;
  assert.equal(checkHeap(own, other), undefined);
  heap.usedBytes = 200;
  assert.equal(checkHeap(own, other), undefined);
  heap.usedBytes = 800;
  assert.equal(checkHeap(own, fiber)?.type, "exhausted");
});

Deno.test("MemoryGuard counts what a call's device takes, and forgets it with the call", () => {
  const guard = new MemoryGuard({ memoryBytesMax: 1000, heapBytesMax: 1e9, heapUsedBytes: () => 0 });
  const [first, second] = [aFiber(), aFiber()];
  let deviceBytes = 0;
  assert.equal(guard.enter(first, undefined, () => deviceBytes), undefined);
  assert.equal(guard.enter(second, undefined), undefined);
  deviceBytes = 900;
  assert.ok(guard.hasRoom(100) && !guard.hasRoom(101));
  assert.deepEqual([guard.totalBytes, guard.deviceBytes], [900, 900]);
  deviceBytes = 1001;
  assert.equal(guard.check(second), undefined);
  assert.deepEqual(guard.check(first), {
    type: "exhausted",
    limit: "memory_bytes",
    max: 1000,
    actual: 1001,
  });
  assert.equal(guard.leave(first), 1001);
  assert.deepEqual([guard.totalBytes, guard.deviceBytes], [0, 0]);
});
