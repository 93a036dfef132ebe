/**
 * Guests that run out of stack: a trap of their own, wherever it happens, and no way to use it to go on for ever.
 */
import assert from "node:assert/strict";
import { Arena } from "./arena.ts";
import { testAttacks, trap } from "./attack.ts";

let arena: Arena;
Deno.test.beforeAll(async () => void (arena = await Arena.start()));
Deno.test.afterAll(async () => await arena[Symbol.asyncDispose]());

const OVERFLOW = trap("stack_overflow");

testAttacks(() => arena, [
  { guest: "recursion_mutual", export: "run", expected: OVERFLOW },
  { guest: "recursion_indirect", export: "run", expected: OVERFLOW },
  { guest: "recursion_reference", export: "run", expected: OVERFLOW },
  { guest: "recursion_wide", export: "run", expected: OVERFLOW },
  { guest: "recursion_start_function", export: "run", expected: OVERFLOW },
  { guest: "recursion_into_host", export: "run", expected: OVERFLOW },
  { guest: "many_locals", export: "recurse", expected: OVERFLOW },
  // The engine lets no handler catch the end of the stack.
  { guest: "recursion_caught", export: "run", expected: OVERFLOW },
  { guest: "recursion_caught_legacy", export: "run", expected: OVERFLOW },
  { guest: "recursion_into_host_caught", export: "run", expected: OVERFLOW },
]);

Deno.test("after all of them a deep but honest recursion has all of its stack", async () => {
  await arena.gateway.deploy("fib");
  const response = await arena.gateway.invoke("fib", { export: "fib", args: [15] });
  assert.deepEqual((await response.json()).result, [610]);
});

Deno.test("no attack was a bug of ours, and none ended the cell", () => arena.assertUnharmed());
