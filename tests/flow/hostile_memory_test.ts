/**
 * Guests that want all the memory there is, or keep the machine busy moving it: linear memory, tables, and the heap
 * of garbage-collected objects.
 */
import assert from "node:assert/strict";
import { makeModule as makeGcSegment } from "../guests/src/hostile/made/gc_segment.ts";
import { Arena } from "./arena.ts";
import { type Attack, endless, exhausted, testAttacks, trap } from "./attack.ts";
import { readGuest } from "../support/guests.ts";
import {
  brIf,
  EMPTY,
  i32,
  I32_ADD,
  localGet,
  localSet,
  loop,
  refNull,
  structNew,
  structType,
} from "../support/instructions.ts";
import { ModuleAssembler } from "../support/module_assembler.ts";
import { func, I32 } from "../support/module_bytes.ts";
import { assertProblem } from "./problem.ts";

const MEMORY_BYTES_MAX = 256 * 1024 * 1024;
const PAGES_MAX = MEMORY_BYTES_MAX / 65_536;
const TABLE_ELEMENTS_MAX = 1_000_000;
const HEAP_BYTES_MAX = 256 * 1024 * 1024;
const CELL_MEMORY_BYTES_MAX = 1024 * 1024 * 1024;
/** More than an attacker of the heap needs to reach its limit. */
const LONG_MS = 20_000;

let arena: Arena;
Deno.test.beforeAll(async () => {
  arena = await Arena.start([
    ...["--memory-bytes-max", String(MEMORY_BYTES_MAX)],
    ...["--table-elements-max", String(TABLE_ELEMENTS_MAX)],
    ...["--heap-bytes-max", String(HEAP_BYTES_MAX)],
    ...["--cell-memory-bytes-max", String(CELL_MEMORY_BYTES_MAX)],
  ]);
});
Deno.test.afterAll(async () => await arena[Symbol.asyncDispose]());

const OUT_OF_BOUNDS = trap("memory_out_of_bounds");

// Bulk operations. Few at a time: each has its 192 MiB.
testAttacks(() => arena, [
  endless("memory_fill_huge"),
  endless("memory_fill_recursion"),
  endless("memory_fill_straight"),
  endless("memory_copy_huge"),
  endless("memory_init_loop"),
  endless("memory_grow_loop"),
  endless("memory64_fill", "spin"),
  endless("memory64_grow_refused"),
  endless("bulk_nothing"),
  endless("passive_segments"),
], 2);

testAttacks(() => arena, [
  endless("table_fill_loop", "fill"),
  endless("table_fill_loop", "copy"),
  endless("table_fill_loop", "init"),
  endless("table_grow_refused"),
  endless("elements_huge", "init"),
  endless("elements_huge", "array"),
  endless("gc_array_fill", "fill"),
  endless("gc_array_fill", "copy"),
  endless("gc_array_data"),
], 2);

// Bounds: a bulk operation that is cut in pieces traps as the whole one does.
testAttacks(() => arena, [
  { guest: "memory_out_of_bounds_bulk", export: "fill", expected: OUT_OF_BOUNDS },
  { guest: "memory_out_of_bounds_bulk", export: "fill_at_end", expected: OUT_OF_BOUNDS },
  { guest: "memory_out_of_bounds_bulk", export: "fill_wrap", expected: OUT_OF_BOUNDS },
  { guest: "memory_out_of_bounds_bulk", export: "copy", expected: OUT_OF_BOUNDS },
  { guest: "memory_out_of_bounds_bulk", export: "copy_from", expected: OUT_OF_BOUNDS },
  { guest: "memory_out_of_bounds_bulk", export: "nothing_outside", expected: OUT_OF_BOUNDS },
  {
    guest: "memory_out_of_bounds_bulk",
    export: "nothing_at_end",
    expected: { type: "returned", result: "ok" },
  },
  { guest: "memory64_fill", export: "fill", expected: OUT_OF_BOUNDS },
  { guest: "memory64_fill", export: "copy", expected: OUT_OF_BOUNDS },
  { guest: "memory64_fill", export: "copy_far", expected: OUT_OF_BOUNDS },
]);

// Growing.
testAttacks(() => arena, [
  { guest: "memory_grow_bomb", export: "run", expected: { type: "returned", result: [PAGES_MAX] } },
  { guest: "memory64_grow", export: "run", expected: { type: "returned", result: [PAGES_MAX - 15] } },
  { guest: "table_grow_by_one", export: "run", expected: { type: "returned", result: [TABLE_ELEMENTS_MAX] } },
], 1);

Deno.test("sixteen growers at once have what fits the cell, and the others are told so", async () => {
  const { id } = await arena.deploy("memory_grow_bomb");
  const calls = Array.from({ length: 16 }, async () => {
    const response = await arena.gateway.invoke(id, { export: "run" }, { "x-tensorwasm-tenant": "666" });
    if (response.status === 200) return assert.deepEqual((await response.json()).result, [PAGES_MAX]);
    const { message } = await assertProblem(response, { status: 500, kind: "guest_limit_exceeded" });
    assert.match(message, /memory_bytes is \d+, got \d+$/);
  });
  const all = Promise.all(calls);
  all.catch(() => {});
  for (let count = 0; count < 10; count++) await arena.assertHonest();
  await all;
});

for (const guest of ["table_grow_bomb", "many_tables"]) {
  Deno.test(`attack: ${guest}: what the tables of one guest hold together is bounded`, async () => {
    const { id } = await arena.deploy(guest);
    const response = await arena.gateway.invoke(id, { export: "run" }, { "x-tensorwasm-tenant": "666" });
    const body = await response.json();
    // Either its tables stop growing, or it is stopped.
    if (response.status === 200) assert.ok(body.result[0] <= 5 * TABLE_ELEMENTS_MAX, String(body.result));
    else assert.equal(body.error.kind, "guest_limit_exceeded");
    await arena.assertHonest();
  });
}

/** An attack on the heap: stopped by its limit, however long it may run. */
function heapBomb(guest: string, exported = "run"): Attack {
  return { guest, export: exported, deadlineMs: LONG_MS, expected: exhausted("heap_bytes") };
}

testAttacks(() => arena, [
  heapBomb("gc_struct_list"),
  heapBomb("gc_array_list"),
  heapBomb("gc_array_tree"),
  heapBomb("gc_exceptions"),
], 1);

// One allocation that is larger than any is allowed to be traps before it is made.
testAttacks(() => arena, [
  { guest: "gc_array_huge", export: "keep", deadlineMs: LONG_MS, expected: trap("unreachable") },
  { guest: "gc_array_huge", export: "drop", deadlineMs: LONG_MS, expected: trap("unreachable") },
], 1);

for (
  const [guest, bytes] of [
    ["gc_globals", () => readGuest("hostile_gc_globals")],
    ["gc_table_init", () => readGuest("hostile_gc_table_init")],
    ["gc_segment", () => makeGcSegment(60_000)],
  ] as const
) {
  Deno.test(`attack: ${guest}: a heap that fills before any function runs is refused at deploy`, async () => {
    const response = await arena.refuse(guest, bytes());
    await assertProblem(response, { status: 400, kind: "invalid_wasm", message: /limit is \d+, got \d+$/ });
    await arena.assertHonest();
  });
}

/** Makes a list of a thousand objects and counts them. */
function honestObjects(): Uint8Array<ArrayBuffer> {
  const module = new ModuleAssembler();
  const node = module.type(structType(I32, refNull(0)));
  const make = [...localGet(1), ...localGet(0), ...structNew(node), ...localSet(0)];
  const count = [...localGet(1), ...i32(1), ...I32_ADD, 0x22, 1, ...i32(1000), 0x48];
  const body = loop(EMPTY, make, count, brIf(0));
  // The last one made has the number of those before it.
  const last = [...localGet(0), 0xfb, 2, node, 0];
  const type = module.type(func([], [I32]));
  module.export("run", "func", module.func(type, [[1, refNull(node)], [1, I32]], body, last));
  return module.toBytes();
}

Deno.test("an honest guest with objects of its own is not stopped for an attacker's heap", async () => {
  await arena.gateway.deploy("honest_objects", honestObjects());
  const attack = arena.attack(heapBomb("gc_struct_list"));
  for (let count = 0; count < 50; count++) {
    const response = await arena.gateway.invoke("honest_objects", { export: "run" });
    assert.deepEqual((await response.json()).result, [999]);
  }
  await attack;
});

Deno.test("two attackers of the heap and of the linear memory at once leave the cell alive", async () => {
  await Promise.all([
    arena.attack(endless("gc_array_fill", "fill")),
    arena.attack(endless("memory_fill_huge")),
    arena.attack(heapBomb("gc_array_list")),
  ]);
});

Deno.test("no attack was a bug of ours, and none ended the cell", () => arena.assertUnharmed());
