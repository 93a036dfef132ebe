/**
 * Hostile calls: guests that would loop, grow, flood, overflow or trap for ever, with the answers that stop them.
 *
 * Owns which attacks take part in a chaos run and how long each may last. Each attack on its own, and in full, is
 * tests/flow/hostile_*_test.ts. Invariant: no attack here may end its cell, so none has `cell_lost` among its
 * answers.
 */
import { answers, type CallKind, json } from "./call_kind.ts";

const TIMEOUT = "504 invoke_timeout";
const TRAP = "500 wasmtime";
const LIMIT = "500 guest_limit_exceeded";
const DEADLINE_MS_MIN = 30;
const DEADLINE_MS_MAX = 400;

/** A call that ends in one of some ways; 200 may have any result. */
function attack(guest: string, exported: string, ends: readonly string[], weight = 1): CallKind {
  const right = answers(Object.fromEntries(ends.map((end) => [end, () => true])));
  return {
    guest,
    weight,
    make: (random) => {
      const deadlineMs = DEADLINE_MS_MIN + Math.floor(random() * (DEADLINE_MS_MAX - DEADLINE_MS_MIN));
      return json({ export: exported }, deadlineMs, right);
    },
  };
}

/** Goes on until its deadline. */
function endless(guest: string, exported = "run", weight = 1): CallKind {
  return attack(guest, exported, [TIMEOUT], weight);
}

/** Ends by itself, unless its deadline comes first: the machine may be busy. */
function brief(guest: string, exported: string, end: string, weight = 1): CallKind {
  return attack(guest, exported, [end, TIMEOUT], weight);
}

/** Kinds of hostile calls. */
export const HOSTILE_CALLS: readonly CallKind[] = [
  endless("spin", "run", 6),
  endless("spin_start", "run", 2),
  endless("hostile_loop_start_function"),
  endless("hostile_loop_initialize"),
  endless("hostile_loop_in_catch_all"),
  endless("hostile_loop_around_catch_all"),
  endless("hostile_loop_throw_catch"),
  endless("hostile_tail_call_mutual"),
  endless("hostile_recursion_exponential"),
  endless("hostile_deadline_stop_caught", "spin"),
  endless("hostile_grant_inflation"),
  endless("hostile_phases"),
  endless("hostile_sleep_in_start_function"),
  endless("hostile_host_call_loops", "random_get"),
  endless("hostile_host_call_loops", "yield"),
  endless("hostile_poll_hostile", "many_forever"),
  endless("hostile_bulk_nothing"),
  // Memory of every kind. One allocation that is larger than any may be traps.
  attack("hostile_memory_grow_bomb", "run", ["200", TIMEOUT, LIMIT]),
  attack("hostile_memory_fill_huge", "run", [TIMEOUT, LIMIT]),
  attack("hostile_table_grow_bomb", "run", ["200", TIMEOUT, LIMIT]),
  attack("hostile_table_fill_loop", "fill", [TIMEOUT, LIMIT]),
  attack("hostile_gc_struct_list", "run", [TIMEOUT, LIMIT, TRAP]),
  attack("hostile_gc_array_list", "run", [TIMEOUT, LIMIT, TRAP]),
  attack("hostile_gc_exceptions", "run", [TIMEOUT, LIMIT, TRAP]),
  // Floods.
  brief("hostile_output_flood", "_start", LIMIT),
  brief("hostile_log_flood", "stderr", "200"),
  endless("hostile_log_flood", "endless"),
  attack("hostile_file_bomb", "files", [TIMEOUT, LIMIT]),
  brief("hostile_span_event_flood", "run", "200"),
  // The stack, and traps.
  brief("hostile_recursion_mutual", "run", TRAP),
  brief("hostile_recursion_wide", "run", TRAP),
  brief("stack_overflow", "run", TRAP),
  brief("trap_unreachable", "run", TRAP),
  brief("trap_div0", "run", TRAP),
  brief("trap_oob", "run", TRAP),
];
