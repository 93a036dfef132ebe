import assert from "node:assert/strict";
import fc from "fast-check";
import { type ListedPart, PartList } from "../../../telemetry/trace/part_list.ts";

interface Part extends ListedPart<Part> {
  readonly number: number;
}

function makeParts(count: number): Part[] {
  return Array.from({ length: count }, (_, number) => ({
    ...{ number, isListed: false, before: undefined, after: undefined },
  }));
}

Deno.test("PartList behaves as a Set, and forgets what leaves it", () => {
  const step = fc.record({ type: fc.constantFrom("add", "remove"), at: fc.nat(9) });
  fc.assert(fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
    const parts = makeParts(10);
    const list = new PartList<Part>();
    const model = new Set<Part>();
    for (const { type, at } of steps) {
      const part = parts[at];
      assert.ok(part !== undefined);
      if (type === "add") {
        list.add(part);
        model.add(part);
      } else {
        list.remove(part);
        model.delete(part);
        assert.deepEqual([part.before, part.after, part.isListed], [undefined, undefined, false]);
      }
      assert.deepEqual([...list].map(({ number }) => number), [...model].map(({ number }) => number));
      assert.deepEqual([list.size, list.first], [model.size, [...model][0]]);
    }
  }));
});

Deno.test("PartList: what a loop is at may be taken out, and all others are seen", () => {
  const parts = makeParts(5);
  const list = new PartList<Part>();
  for (const part of parts) list.add(part);
  const seen: number[] = [];
  for (const part of list) {
    seen.push(part.number);
    if (part.number % 2 === 0) list.remove(part);
  }
  assert.deepEqual(seen, [0, 1, 2, 3, 4]);
  assert.deepEqual([...list].map(({ number }) => number), [1, 3]);
});
