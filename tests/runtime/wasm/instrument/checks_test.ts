/**
 * Where fuel is charged and checked: results stay, fuel does not depend on the refill, every cycle stops.
 */
import assert from "node:assert/strict";
import { instrumentModule } from "../../../../runtime/wasm/instrument.ts";
import { COST_MAX } from "../../../../runtime/wasm/instrument/analysis.ts";
import { ByteReader } from "../../../../runtime/wasm/reader.ts";
import { readSections } from "../../../../runtime/wasm/section.ts";
import { assemble } from "../../../support/assemble.ts";
import { readGuest } from "../../../support/guests.ts";
import { instantiateInstrumented } from "../../../support/instrumented.ts";
import { ModuleAssembler } from "../../../support/module_assembler.ts";
import { func } from "../../../support/module_bytes.ts";

const OPTIONS = { memoryPagesMax: 65_536, tableElementsMax: 10_000 };
const REFILLS = [1, 2, 7, 50, 1_000, 2 ** 30];

type Run = (argument: number) => unknown;

function instrumented(text: string): WebAssembly.Module {
  const bytes = assemble(text);
  assert.ok(WebAssembly.validate(bytes), "the original is valid");
  return new WebAssembly.Module(instrumentModule(bytes, OPTIONS));
}

/** Runs the export "run" with every argument and refill, and compares it with the original. */
function sameForEveryRefill(body: string, options: { readonly around?: string } = {}): number {
  const text = `(module ${options.around ?? ""} (func (export "run") (param $n i32) (result i32) ${body}))`;
  const original = new WebAssembly.Instance(new WebAssembly.Module(assemble(text))).exports["run"] as Run;
  const module = instrumented(text);
  let fuelOfLast = 0;
  for (const argument of [0, 1, 2, 3, 10, 37]) {
    const fuel = REFILLS.map((refill) => {
      const instance = instantiateInstrumented(module, {}, { refill });
      assert.equal((instance.exports["run"] as Run)(argument), original(argument), `run(${argument})`);
      return instance.fuelUsed();
    });
    assert.equal(new Set(fuel).size, 1, `fuel of run(${argument}): ${fuel}`);
    fuelOfLast = fuel[0] ?? 0;
  }
  return fuelOfLast;
}

Deno.test("an innermost loop charges every round, and leaves by falling through", () => {
  const fuel = sameForEveryRefill(`(local $sum i32)
    (loop $again
      (local.set $sum (i32.add (local.get $sum) (local.get $n)))
      (br_if $again (i32.gt_s (local.tee $n (i32.sub (local.get $n) (i32.const 1))) (i32.const 0))))
    (local.get $sum)`);
  // 37 rounds of 12 instructions.
  assert.equal(fuel, 37 * 12);
});

Deno.test("an innermost loop may leave by any branch to any label", () => {
  sameForEveryRefill(`(local $sum i32)
    (block $out (block $middle (block $near
      (loop $again
        (local.set $sum (i32.add (local.get $sum) (i32.const 3)))
        (br_if $out (i32.eq (local.get $n) (i32.const 2)))
        (block $inside
          (br_table $inside $near $middle $again $out
            (i32.rem_u (local.tee $n (i32.add (local.get $n) (i32.const 7))) (i32.const 5))))
        (br_if $again (i32.lt_u (local.get $n) (i32.const 100)))
        (br $middle)))
      (local.set $sum (i32.add (local.get $sum) (i32.const 1000))))
      (local.set $sum (i32.add (local.get $sum) (i32.const 10000))))
    (local.get $sum)`);
});

Deno.test("an innermost loop may leave the function, with and without values on the way", () => {
  sameForEveryRefill(`
    (block $value (result i32)
      (loop $again (result i32)
        (br_if $value (i32.const 5) (i32.eq (local.get $n) (i32.const 3)))
        drop
        (if (i32.eq (local.get $n) (i32.const 37)) (then (return (i32.const 6))))
        (br_if 2 (i32.const 7) (i32.eq (local.get $n) (i32.const 2)))
        drop
        (br_if $again (i32.gt_s (local.tee $n (i32.sub (local.get $n) (i32.const 1))) (i32.const 0)))
        (i32.const 8)))`);
});

Deno.test("loops inside each other are charged each", () => {
  sameForEveryRefill(`(local $i i32) (local $j i32) (local $sum i32)
    (block $done (loop $outer
      (local.set $i (i32.const 0))
      (loop $inner
        (local.set $j (i32.const 0))
        (block $next (loop $innermost
          (br_if $done (i32.gt_u (local.get $sum) (i32.const 3000)))
          (br_if $next (i32.gt_u (local.get $j) (local.get $i)))
          (local.set $sum (i32.add (local.get $sum) (i32.const 1)))
          (local.set $j (i32.add (local.get $j) (i32.const 1)))
          (br_if $outer (i32.eq (local.get $sum) (i32.const 77)))
          (br $innermost)))
        (br_if $inner (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
      (br_if $outer (i32.gt_s (local.tee $n (i32.sub (local.get $n) (i32.const 1))) (i32.const 0)))))
    (local.get $sum)`);
});

Deno.test("loops with parameters, calls and bulk operations keep their count", () => {
  sameForEveryRefill(
    `(local $i i32)
    (loop $again
      (local.set $i (i32.add (local.get $i) (call $help (local.get $n))))
      (memory.fill (i32.const 0) (local.get $i) (i32.mul (local.get $n) (i32.const 50)))
      (br_if $again (i32.lt_u (local.get $i) (i32.const 300))))
    (local.get $i)
    (loop $counted (param i32) (result i32)
      (i32.sub (i32.const 3))
      (local.tee $i)
      (br_if $counted (i32.gt_s (local.get $i) (i32.const 0))))`,
    {
      around: `(memory 1) (func $help (param $n i32) (result i32) (local $sum i32)
        (loop $again
          (local.set $sum (i32.add (local.get $sum) (i32.const 5)))
          (br_if $again (i32.gt_s (local.tee $n (i32.sub (local.get $n) (i32.const 1))) (i32.const 0))))
        (local.get $sum))`,
    },
  );
});

Deno.test("a function that calls itself gives the same, however often it does", () => {
  const calls = (count: number): string =>
    Array.from({ length: count }, () => `(call $self (i32.sub (local.get $m) (i32.const 1)))`).join(" ") +
    "(i32.add)".repeat(count - 1);
  for (const count of [1, 2, 3, 4]) {
    sameForEveryRefill(`(call $self (i32.rem_u (local.get $n) (i32.const 6)))`, {
      around: `(memory 1) (func $self (param $m i32) (result i32)
        (if (result i32) (i32.le_s (local.get $m) (i32.const 0)) (then (i32.const 1))
          (else (memory.fill (i32.const 0) (local.get $m) (i32.const 300)) ${calls(count)})))`,
    });
  }
});

Deno.test("a function that calls itself twice is charged for what runs until its next check", () => {
  const fuel = sameForEveryRefill(`(call $self (i32.const 2))`, {
    around: `(func $self (param i32) (result i32)
      (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 1)) (else (i32.add
        (call $self (i32.sub (local.get 0) (i32.const 1)))
        (call $self (i32.sub (local.get 0) (i32.const 1)))))))`,
  });
  // "run" is charged its 2 instructions; $self its 15, for itself, two copies and four copies of copies.
  assert.equal(fuel, 2 + 7 * 15);
});

/** Every way in which a guest can go on for ever. */
const ENDLESS: Readonly<Record<string, string>> = {
  "an empty loop": `(func $run (loop $l (br $l)))`,
  "a loop that never takes the same way twice": `(func $run (local i32)
    (loop $l (block $b (br_table $b $l (local.tee 0 (i32.add (local.get 0) (i32.const 1))))) (br $l)))`,
  "a loop with a result": `(func $run (drop (loop $l (result i32) (br $l))))`,
  "a loop in a loop": `(func $run (loop $a (loop $b (br_if $b (i32.const 0)) (br $a))))`,
  "tail calls of itself": `(func $run (return_call $run))`,
  "tail calls in turns": `(func $run (return_call $other)) (func $other (return_call $run))`,
  "indirect tail calls": `(table funcref (elem $run)) (func $run (return_call_indirect (i32.const 0)))`,
  "a tree of calls": `(func $run (call $tree (i32.const 60)))
    (func $tree (param i32) (if (local.get 0) (then
      (call $tree (i32.sub (local.get 0) (i32.const 1)))
      (call $tree (i32.sub (local.get 0) (i32.const 1))))))`,
  "a tree of calls in turns": `(func $run (call $one (i32.const 60)))
    (func $one (param i32) (if (local.get 0) (then
      (call $two (i32.sub (local.get 0) (i32.const 1)))
      (call $two (i32.sub (local.get 0) (i32.const 1))))))
    (func $two (param i32) (if (local.get 0) (then
      (call $one (i32.sub (local.get 0) (i32.const 1)))
      (call $one (i32.sub (local.get 0) (i32.const 1))))))`,
  "a tree of indirect calls": `(table funcref (elem $tree)) (type $t (func (param i32)))
    (func $run (call $tree (i32.const 60)))
    (func $tree (type $t) (if (local.get 0) (then
      (call_indirect (type $t) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0))
      (call_indirect (type $t) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0)))))`,
  "a loop that catches all": `(tag $e) (func $run (loop $l
    (try (do (loop $m (br_if $m (i32.const 1)))) (catch_all)) (br $l)))`,
  "throwing and catching": `(tag $e) (func $run (loop $l (try (do (throw $e)) (catch_all)) (br $l)))`,
  "filling":
    `(memory 1) (func $run (loop $l (memory.fill (i32.const 0) (i32.const 1) (i32.const 65536)) (br $l)))`,
  "growing in vain": `(memory 1) (func $run (loop $l (drop (memory.grow (i32.const 1))) (br $l)))`,
  "growing a table in vain": `(table $t i64 0 externref) (func $run (loop $l
    (drop (table.grow $t (ref.null extern) (i64.const 103079215104))) (br $l)))`,
};

for (const [title, text] of Object.entries(ENDLESS)) {
  Deno.test(`a guest that goes on for ever is stopped: ${title}`, () => {
    const module = instrumented(`(module ${text} (export "run" (func $run)))`);
    const instance = instantiateInstrumented(module, {}, { refill: 100_000, stopAtTick: 20 });
    assert.throws(() => (instance.exports["run"] as () => void)(), /unreachable/);
    assert.equal(instance.tickCount(), 20);
  });
}

Deno.test("a cost beyond what fuel can bear is charged as the most", () => {
  // memory.grow 1,200,000 times, of 2,000 units each; fuel has 31 bits.
  const grows = new Array<readonly number[]>(1_200_000).fill([0x40, 0]).flat();
  const module = new ModuleAssembler();
  module.memory(0, 0);
  module.export("run", "func", module.func(module.type(func()), [], [0x41, 0], grows, [0x1a]));
  const bytes = module.toBytes();
  const instance = instantiateInstrumented(new WebAssembly.Module(instrumentModule(bytes, OPTIONS)), {});
  (instance.exports["run"] as () => void)();
  assert.equal(instance.fuelUsed(), COST_MAX);
});

Deno.test("branch hints stand at branches, in order, and say that they are hardly ever taken", () => {
  for (const guest of ["bench_sieve", "bench_json", "bench_matmul_f32_os", "bench_assembly"]) {
    const bytes = instrumentModule(readGuest(guest), OPTIONS);
    const sections = readSections(bytes);
    const custom = sections.all.find(({ name }) => name === "metadata.code.branch_hint");
    assert.ok(custom !== undefined, guest);
    const bodies = bodiesOf(bytes);
    const reader = new ByteReader(bytes, custom.headStart + 1, custom.end);
    reader.u32();
    reader.name();
    let functionBefore = -1;
    for (let functions = reader.u32(); functions > 0; functions--) {
      const index = reader.u32();
      assert.ok(index > functionBefore, "functions ascend");
      functionBefore = index;
      let offsetBefore = -1;
      for (let hints = reader.u32(); hints > 0; hints--) {
        const offset = reader.u32();
        assert.ok(offset > offsetBefore, "offsets ascend");
        offsetBefore = offset;
        assert.deepEqual([reader.u32(), reader.u8()], [1, 0]);
        const opcode = bytes[(bodies[index] ?? NaN) + offset] ?? -1;
        assert.ok(opcode === 0x04 || opcode === 0x0d, `${guest}: opcode ${opcode} in function ${index}`);
      }
    }
    reader.finish();
  }
});

/** Where the body of each function starts; none of the guests here imports one. */
function bodiesOf(bytes: Uint8Array): number[] {
  const reader = readSections(bytes).find("code");
  assert.ok(reader !== undefined);
  return Array.from({ length: reader.u32() }, () => {
    const length = reader.u32();
    const start = reader.offset;
    reader.skip(length);
    return start;
  });
}
