import assert from "node:assert/strict";
import { runSteps } from "../../../gpu/session/steps.ts";
import type { Steps } from "../../../gpu/session/steps.ts";

function* add(...parts: readonly (number | Promise<number>)[]): Steps<number> {
  let sum = 0;
  for (const part of parts) {
    if (typeof part === "number") {
      yield undefined;
      sum += part;
    } else {
      yield part.then((value) => void (sum += value));
    }
  }
  return sum;
}

Deno.test("runSteps() answers at once where nothing is to be waited for", () => {
  assert.equal(runSteps(add(1, 2, 3)), 6);
  assert.equal(runSteps(add()), 0);
});

Deno.test("runSteps() answers later from the first wait on, in order", async () => {
  const answer = runSteps(add(1, Promise.resolve(2), 3, Promise.resolve(4), 5));
  assert.ok(answer instanceof Promise);
  assert.equal(await answer, 15);
});

Deno.test("runSteps() throws at once what is thrown before the first wait", () => {
  function* steps(): Steps<void> {
    yield undefined;
    throw new RangeError("first");
  }
  assert.throws(() => runSteps(steps()), RangeError);
});

Deno.test("runSteps() rejects with what is thrown after a wait", async () => {
  function* steps(): Steps<void> {
    yield Promise.resolve();
    throw new RangeError("second");
  }
  await assert.rejects(Promise.resolve(runSteps(steps())), RangeError);
});

Deno.test("a rejected wait is an exception in the steps, which may go on", async () => {
  function* steps(): Steps<string> {
    try {
      yield Promise.reject(new RangeError("refused"));
      return "not here";
    } catch (error) {
      yield Promise.resolve();
      yield undefined;
      return error instanceof Error ? error.message : "none";
    }
  }
  assert.equal(await runSteps(steps()), "refused");
});

Deno.test("a rejected wait that nobody catches is the rejection, after what must be done", async () => {
  let isCleaned = false;
  function* steps(): Steps<void> {
    try {
      yield Promise.reject(new RangeError("refused"));
    } finally {
      isCleaned = true;
    }
  }
  await assert.rejects(Promise.resolve(runSteps(steps())), /refused/);
  assert.ok(isCleaned);
});
