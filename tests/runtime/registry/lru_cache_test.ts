import assert from "node:assert/strict";
import fc from "fast-check";
import { LruCache } from "../../../runtime/model/lru_cache.ts";

const UNBOUNDED = { countMax: Infinity, weightMax: Infinity };

function kept(cache: LruCache<string, number>, keys: string): string {
  // Looking is a use, so a test looks once, at its end.
  return [...keys].filter((key) => cache.get(key) !== undefined).join("");
}

Deno.test("LruCache.set() keeps all at exactly the count and forgets the oldest one over", () => {
  const cache = new LruCache<string, number>({ ...UNBOUNDED, countMax: 2 });
  cache.set("a", 1, 1);
  cache.set("b", 1, 1);
  assert.equal(cache.count, 2);
  cache.set("c", 1, 1);
  assert.equal(kept(cache, "abc"), "bc");
});

Deno.test("LruCache.set() keeps all at exactly the weight and forgets as many as needed one over", () => {
  const cache = new LruCache<string, number>({ ...UNBOUNDED, weightMax: 10 });
  cache.set("a", 1, 3);
  cache.set("b", 1, 3);
  cache.set("c", 1, 4);
  assert.equal(cache.weight, 10);
  cache.set("d", 1, 4);
  assert.equal(cache.weight, 8);
  assert.equal(kept(cache, "abcd"), "cd");
});

Deno.test("LruCache.set() keeps a value of exactly the weight and not one over", () => {
  const cache = new LruCache<string, number>({ ...UNBOUNDED, weightMax: 10 });
  cache.set("a", 1, 10);
  assert.equal(cache.weight, 10);
  cache.set("b", 1, 11);
  assert.equal(kept(cache, "ab"), "a");
});

Deno.test("LruCache.set() of a key that is there takes its place and its weight", () => {
  const cache = new LruCache<string, number>({ ...UNBOUNDED, weightMax: 10 });
  cache.set("a", 1, 6);
  cache.set("a", 2, 4);
  assert.deepEqual([cache.get("a"), cache.count, cache.weight], [2, 1, 4]);
  cache.set("a", 3, 11);
  assert.deepEqual([cache.get("a"), cache.count, cache.weight], [undefined, 0, 0]);
});

Deno.test("LruCache.get() counts as a use", () => {
  const cache = new LruCache<string, number>({ ...UNBOUNDED, countMax: 2 });
  cache.set("a", 1, 1);
  cache.set("b", 1, 1);
  cache.get("a");
  cache.set("c", 1, 1);
  assert.equal(kept(cache, "abc"), "ac");
});

Deno.test("LruCache.delete() and clear() give the weight back", () => {
  const cache = new LruCache<string, number>(UNBOUNDED);
  cache.set("a", 1, 2);
  cache.set("b", 1, 3);
  cache.delete("a");
  cache.delete("a");
  assert.deepEqual([cache.count, cache.weight], [1, 3]);
  cache.clear();
  assert.deepEqual([cache.count, cache.weight], [0, 0]);
});

Deno.test("LruCache behaves as a list in order of use that is cut at both bounds", () => {
  const step = fc.record({
    type: fc.constantFrom("set", "get", "delete"),
    key: fc.integer({ min: 0, max: 7 }),
    weight: fc.integer({ min: 0, max: 12 }),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const [countMax, weightMax] = [4, 10];
    const cache = new LruCache<number, number>({ countMax, weightMax });
    let model: { key: number; weight: number }[] = [];
    const sum = (): number => model.reduce((total, { weight }) => total + weight, 0);
    for (const { type, key, weight } of steps) {
      const old = model.find((entry) => entry.key === key);
      if (type === "get") {
        assert.equal(cache.get(key), old?.weight);
        if (old !== undefined) model = [...model.filter((entry) => entry !== old), old];
        continue;
      }
      model = model.filter((entry) => entry !== old);
      if (type === "delete") cache.delete(key);
      else {
        cache.set(key, weight, weight);
        if (weight <= weightMax) model.push({ key, weight });
        while (model.length > countMax || sum() > weightMax) model.shift();
      }
      assert.deepEqual([cache.count, cache.weight], [model.length, sum()]);
    }
  }));
});
