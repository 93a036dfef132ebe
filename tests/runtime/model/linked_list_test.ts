import assert from "node:assert/strict";
import fc from "fast-check";
import { LinkedList } from "../../../runtime/model/linked_list.ts";
import type { Link } from "../../../runtime/model/linked_list.ts";

function valuesOf(list: LinkedList<number>): number[] {
  const values: number[] = [];
  for (let link = list.first; link !== undefined; link = link.next) values.push(link.value);
  return values;
}

Deno.test("LinkedList behaves as an array from which anything may be taken", () => {
  const step = fc.record({ type: fc.constantFrom("push", "remove", "moveToEnd"), at: fc.nat(20) });
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const list = new LinkedList<number>();
    let model: Link<number>[] = [];
    steps.forEach(({ type, at }, index) => {
      const link = model[at % Math.max(1, model.length)];
      if (type === "push") model.push(list.push(index));
      else if (link !== undefined) {
        model = model.filter((other) => other !== link);
        if (type === "remove") list.remove(link);
        else {
          list.moveToEnd(link);
          model.push(link);
        }
      }
      assert.deepEqual(valuesOf(list), model.map(({ value }) => value));
      assert.deepEqual([list.size, list.last], [model.length, model.at(-1)]);
    });
  }));
});

Deno.test("LinkedList.remove() takes a link once, and only its own", () => {
  const list = new LinkedList<number>();
  const link = list.push(1);
  const other = new LinkedList<number>().push(2);
  assert.throws(() => list.remove(other), { name: "InvariantError" });
  list.remove(link);
  assert.throws(() => list.remove(link), { name: "InvariantError" });
  assert.equal(list.size, 0);
});
