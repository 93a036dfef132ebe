import assert from "node:assert/strict";
import { ModuleShelf } from "../../../runtime/executor/module_shelf.ts";

Deno.test("ModuleShelf.add() evicts nothing at exactly the bound and the oldest one byte over", () => {
  const shelf = new ModuleShelf(100);
  assert.deepEqual(shelf.add("a", 60).evicted, []);
  assert.deepEqual(shelf.add("b", 40).evicted, []);
  assert.deepEqual(shelf.add("c", 1).evicted, [1]);
  assert.deepEqual([shelf.has("a"), shelf.has("b"), shelf.has("c")], [false, true, true]);
});

Deno.test("ModuleShelf.use() keeps what is in use", () => {
  const shelf = new ModuleShelf(100);
  shelf.add("a", 50);
  shelf.add("b", 50);
  assert.equal(shelf.use("a"), 1);
  assert.deepEqual(shelf.add("c", 50).evicted, [2]);
});

Deno.test("ModuleShelf.add() takes a module over the bound and evicts all others", () => {
  const shelf = new ModuleShelf(100);
  shelf.add("a", 10);
  assert.deepEqual(shelf.add("b", 1000), { number: 2, evicted: [1] });
  assert.ok(shelf.has("b"));
});

Deno.test("ModuleShelf never gives a number twice", () => {
  const shelf = new ModuleShelf(10);
  const numbers = ["a", "b", "a", "b"].map((digest) => shelf.add(digest, 10).number);
  assert.equal(new Set(numbers).size, 4);
});
