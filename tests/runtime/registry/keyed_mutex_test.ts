import assert from "node:assert/strict";
import { KeyedMutex } from "../../../runtime/registry/keyed_mutex.ts";

Deno.test("KeyedMutex.run() runs bodies of one key one after the other, in the order of asking", async () => {
  const mutex = new KeyedMutex();
  const steps: string[] = [];
  const body = (name: string) => async (): Promise<void> => {
    steps.push(`${name} in`);
    await Promise.resolve();
    steps.push(`${name} out`);
  };
  await Promise.all([mutex.run("k", body("a")), mutex.run("k", body("b")), mutex.run("k", body("c"))]);
  assert.deepEqual(steps, ["a in", "a out", "b in", "b out", "c in", "c out"]);
});

Deno.test("KeyedMutex.run() lets different keys overlap", async () => {
  const mutex = new KeyedMutex();
  const gate = Promise.withResolvers<void>();
  const waiting = mutex.run("a", () => gate.promise);
  await mutex.run("b", () => Promise.resolve());
  gate.resolve();
  await waiting;
});

Deno.test("KeyedMutex.run() goes on after a body that fails", async () => {
  const mutex = new KeyedMutex();
  const failed = mutex.run("k", () => Promise.reject(new Error("bad")));
  const after = mutex.run("k", () => Promise.resolve(2));
  await assert.rejects(failed, /bad/);
  assert.equal(await after, 2);
});

Deno.test("KeyedMutex keeps nothing of an idle key", async () => {
  const mutex = new KeyedMutex();
  const both = Promise.all([
    mutex.run("k", () => Promise.resolve()),
    mutex.run("k", () => Promise.resolve()),
  ]);
  assert.equal(mutex.keysCount, 1);
  await both;
  assert.equal(mutex.keysCount, 0);
});
