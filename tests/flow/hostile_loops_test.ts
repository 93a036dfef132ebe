/**
 * Guests that never end, by every way in which control can go round: each is stopped at its deadline from inside,
 * and an honest call in the same cell is answered long before.
 */
import { Arena } from "./arena.ts";
import { endless, testAttacks } from "./attack.ts";

let arena: Arena;
Deno.test.beforeAll(async () => void (arena = await Arena.start()));
Deno.test.afterAll(async () => await arena[Symbol.asyncDispose]());

testAttacks(() => arena, [
  // Before the export that was asked for.
  { guest: "loop_start", expected: "timeout" },
  endless("loop_start_function"),
  endless("loop_initialize"),
  endless("sleep_in_start_function"),
  // Loops.
  endless("loop_counted"),
  endless("loop_br_table"),
  endless("loop_with_values"),
  endless("loop_on_null", "br_on_null"),
  endless("loop_on_null", "br_on_non_null"),
  endless("loop_on_null", "br_on_cast"),
  endless("loop_on_null", "block"),
  endless("br_table_huge"),
  endless("deep_blocks", "spin"),
  endless("many_locals", "spin"),
  endless("input_never_read", "spin"),
  // Exceptions.
  endless("loop_in_catch_all"),
  endless("loop_in_catch_all_legacy"),
  endless("loop_around_catch_all"),
  endless("loop_around_catch_all_legacy"),
  endless("loop_rethrow"),
  endless("loop_throw_ref"),
  endless("loop_delegate"),
  endless("loop_throw_catch"),
  endless("loop_throw_far"),
  // Without a loop.
  { ...endless("tail_call_self"), args: [0] },
  endless("tail_call_mutual"),
  endless("tail_call_indirect"),
  endless("tail_call_reference"),
  endless("recursion_exponential"),
  endless("many_functions"),
]);

Deno.test("no attack was a bug of ours, and none ended the cell", () => arena.assertUnharmed());
