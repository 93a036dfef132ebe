import assert from "node:assert/strict";
import { HandleTable } from "../../../gpu/session/handles.ts";

function filled(low: number, high: number): HandleTable<string> {
  return new HandleTable((words) => void words.set([low, high]));
}

Deno.test("HandleTable gives out positive numbers that are exact as doubles, whatever the seed", () => {
  for (const [low, high] of [[0, 0], [0xffff_ffff, 0xffff_ffff], [1, 2]] as const) {
    const table = filled(low, high);
    for (const text of ["a", "b", "c"]) {
      const handle = table.add(text);
      assert.ok(handle > 0n && handle < 2n ** 53n);
      assert.equal(table.get(handle), text);
    }
  }
});

Deno.test("HandleTable never gives a number twice", () => {
  const table = filled(7, 0);
  const first = table.add("a");
  assert.equal(table.remove(first), "a");
  assert.equal(table.remove(first), undefined);
  assert.notEqual(table.add("b"), first);
  assert.equal(table.get(first), undefined);
  assert.equal(table.size, 1);
});

Deno.test("HandleTable finds nothing by a number that only looks like a handle as a double", () => {
  const table = filled(0xffff_ffff, 0xf_ffff);
  const handle = table.add("a");
  for (const other of [handle + 1n, -handle, handle + 2n ** 53n, handle + 2n ** 63n, 0n]) {
    assert.equal(table.get(other), undefined);
  }
});
