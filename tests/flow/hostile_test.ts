/**
 * Attackers in number, attackers that leave, and the completeness of the corpus: every hostile guest has its test.
 */
import assert from "node:assert/strict";
import { readManifest } from "../support/guests.ts";
import { Arena } from "./arena.ts";
import { type Attack, endless } from "./attack.ts";

let arena: Arena;
Deno.test.beforeAll(async () => void (arena = await Arena.start()));
Deno.test.afterAll(async () => await arena[Symbol.asyncDispose]());

/** Far beyond what these tests take: only leaving ends the call. */
const LONG_MS = 25_000;
/** How many honest calls are to be answered while an attacker has its time. */
const TURNS = 20;
const TURNS_MS = [500, 2000, 8000];

for (
  const [guest, exported] of [
    ["loop_in_catch_all", "run"],
    ["loop_start_function", "run"],
    ["loop_initialize", "run"],
    ["tail_call_mutual", "run"],
    ["recursion_exponential", "run"],
    ["loop_throw_far", "run"],
    ["memory_fill_huge", "run"],
    ["host_call_loops", "sched_yield"],
    ["host_call_loops", "yield"],
    ["deadline_stop_caught", "spin"],
    ["deadline_stop_caught", "return"],
  ] as const
) {
  Deno.test(`a client that leaves ${guest} ${exported} stops it`, async () => {
    await arena.attackAndLeave({ ...endless(guest, exported), deadlineMs: LONG_MS });
  });
}

Deno.test("twenty attackers at once: honest calls are answered all the while", async () => {
  const guests = [
    ...["loop_start_function", "loop_around_catch_all", "loop_throw_far", "tail_call_mutual"],
    ...["recursion_exponential", "loop_rethrow", "memory_init_loop", "many_functions", "loop_counted"],
    "table_of_hosts",
  ];
  const attacks = Promise.all([...guests, ...guests].map((guest) => arena.attack(endless(guest))));
  attacks.catch(() => {});
  for (let count = 0; count < 20; count++) await arena.assertHonest();
  await attacks;
});

Deno.test("a hundred clients that leave at once leave nothing running", async () => {
  const { gateway } = arena;
  const { id } = await arena.deploy("loop_start_function");
  const client = new AbortController();
  const calls = Array.from({ length: 100 }, () =>
    fetch(`${gateway.url}/functions/${id}/invoke`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-tensorwasm-tenant": "666" },
      body: JSON.stringify({ export: "run" }),
      signal: client.signal,
    }));
  const left = Promise.allSettled(calls);
  await arena.assertHonest();
  client.abort();
  assert.ok((await left).every(({ status }) => status === "rejected"));
  // With a limit of 64 calls per cell and their deadline far away, any that still ran would hold the next one up.
  await arena.attack(endless("loop_start_function"));
  const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
  const active = [...metrics.matchAll(/^tensor_wasm_active_instances\{[^}]*\} (\S+)$/gm)];
  assert.ok(active.length > 0);
  assert.ok(active.every(([, count]) => count === "0"), active.map(([line]) => line).join("\n"));
});

/** How many honest calls are answered, one after the other, while an attack goes on. */
async function countTurns(attack: Attack): Promise<number> {
  let isOver = false;
  const over = arena.attack(attack).finally(() => isOver = true);
  over.catch(() => {});
  let answered = 0;
  while (!isOver && answered < TURNS) {
    await arena.assertHonest();
    answered++;
  }
  await over;
  return answered;
}

/** Attackers of the time slice: all of them can be preempted, but the moment is theirs to choose. */
for (
  const [guest, exported] of [
    ["grant_inflation", "run"],
    ["phases", "run"],
    ["table_fill_loop", "fill"],
    ["table_fill_loop", "copy"],
    ["elements_huge", "init"],
    ["gc_array_fill", "fill"],
    ["memory_copy_huge", "run"],
    ["random_huge", "run"],
    ["poll_hostile", "many_loop"],
  ] as const
) {
  Deno.test(`honest calls have their turns beside ${guest} ${exported}`, async () => {
    let answered = 0;
    // Longer while the machine is busy with something else; who is held up gets no turn however long it takes.
    for (const deadlineMs of TURNS_MS) {
      if (answered >= TURNS) break;
      answered = await countTurns({ ...endless(guest, exported), deadlineMs });
    }
    assert.ok(answered >= TURNS, `${answered} honest calls were answered`);
  });
}

Deno.test("after all of them the gateway ends cleanly, and nothing was a bug of ours", async () => {
  const { gateway } = arena;
  arena.assertUnharmed();
  await gateway[Symbol.asyncDispose]();
  assert.deepEqual({ ...await gateway.status }, { success: true, code: 0, signal: null });
});

Deno.test("every hostile guest has its test", async () => {
  let text = "";
  for (const entry of Deno.readDirSync(new URL("./", import.meta.url))) {
    if (entry.name.startsWith("hostile_")) {
      text += await Deno.readTextFile(new URL(entry.name, import.meta.url));
    }
  }
  const guests = readManifest().map(({ name }) => name).filter((name) => name.startsWith("hostile_"));
  assert.ok(guests.length > 80);
  const untested = guests.map((name) => name.slice("hostile_".length)).filter((name) =>
    !text.includes(`"${name}"`)
  );
  assert.deepEqual(untested, []);
});
