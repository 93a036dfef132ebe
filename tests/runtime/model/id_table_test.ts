import assert from "node:assert/strict";
import fc from "fast-check";
import { IdTable } from "../../../runtime/model/id_table.ts";

const ID_MAX = 0xffff_ffff;

Deno.test("IdTable behaves as a Map of numbers", () => {
  // Few ids, some with the same lowest bits, so that chains form.
  const id = fc.oneof(fc.nat(40), fc.nat(40).map((n) => n * 2 ** 20), fc.nat(3).map((n) => ID_MAX - n));
  const step = fc.record({ type: fc.constantFrom("set", "set", "delete", "clear"), id });
  fc.assert(fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
    const table = new IdTable<number>();
    const model = new Map<number, number>();
    steps.forEach(({ type, id }, index) => {
      if (type === "set") {
        table.set(id, index);
        model.set(id, index);
      } else if (type === "delete") {
        assert.equal(table.delete(id), model.delete(id));
      } else if (index % 8 === 0) {
        table.clear();
        model.clear();
      }
      assert.equal(table.size, model.size);
      assert.deepEqual([table.get(id), table.has(id)], [model.get(id), model.has(id)]);
      assert.deepEqual(table.values().sort((a, b) => a - b), [...model.values()].sort((a, b) => a - b));
    });
  }));
});

Deno.test("IdTable finds each of many, and what stays among what comes and goes", () => {
  const table = new IdTable<string>();
  table.set(7, "stays");
  for (let id = 100; id < 100_000; id++) {
    table.set(id, String(id));
    if (id >= 300) assert.equal(table.delete(id - 200), true);
  }
  assert.deepEqual([table.size, table.get(7), table.get(99_999), table.get(99_799)], [
    201,
    "stays",
    "99999",
    undefined,
  ]);
});
