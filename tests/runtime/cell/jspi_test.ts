import assert from "node:assert/strict";
import { makeTick, promising, suspendable } from "../../../runtime/cell/jspi.ts";
import { func, I32 } from "../../support/module_bytes.ts";
import { ModuleAssembler } from "../../support/module_assembler.ts";
import { call, localGet } from "../../support/instructions.ts";

function isPromising(exported: WebAssembly.ExportValue): (...args: unknown[]) => Promise<unknown> {
  return promising(exported);
}

Deno.test("makeTick() makes a WebAssembly function, which a typed global takes", async () => {
  const asked: number[] = [];
  const tick = makeTick((left) => {
    asked.push(left);
    return left + 100;
  });
  assert.equal(typeof tick, "function");
  assert.equal(await isPromising(tick)(-7), 93);
  assert.deepEqual(asked, [-7]);
});

Deno.test("makeTick(): a promise suspends the guest until it is answered", async () => {
  const { promise, resolve } = Promise.withResolvers<number>();
  const answered = isPromising(makeTick(() => promise))(-1);
  let isDone = false;
  void answered.then(() => isDone = true);
  await Promise.resolve();
  assert.equal(isDone, false);
  resolve(5);
  assert.equal(await answered, 5);
});

Deno.test("makeTick(): an answer without a promise does not suspend", () => {
  const seen: string[] = [];
  const tick = makeTick(() => {
    seen.push("tick");
    return 1;
  });
  void isPromising(tick)(-1);
  seen.push("after");
  assert.deepEqual(seen, ["tick", "after"]);
});

Deno.test("makeTick(): what the tick throws reaches who called the guest", async () => {
  const bug = new Error("bug");
  await assert.rejects(isPromising(makeTick(() => Promise.reject(bug)))(-1), (error) => error === bug);
  await assert.rejects(
    isPromising(makeTick(() => {
      throw bug;
    }))(-1),
    (error) => error === bug,
  );
});

Deno.test("suspendable(): many guests wait at a time, each on its own stack", async () => {
  const waiting: ((value: number) => void)[] = [];
  const module = new ModuleAssembler();
  const type = module.type(func([I32], [I32]));
  const wait = module.importFunction("host", "wait", type);
  module.export("run", "func", module.func(type, [], localGet(0), call(wait)));
  const compiled = new WebAssembly.Module(module.toBytes());
  const imports = {
    host: {
      wait: suspendable((own: number) =>
        new Promise<number>((resolve) => waiting.push((value) => resolve(own * 1000 + value)))
      ),
    },
  };
  const answers = Array.from({ length: 100 }, (_, index) => {
    const { run } = new WebAssembly.Instance(compiled, imports).exports;
    return promising(run)(index);
  });
  assert.equal(waiting.length, 100);
  waiting.toReversed().forEach((resolve, index) => resolve(index));
  assert.deepEqual(
    await Promise.all(answers),
    Array.from({ length: 100 }, (_, index) => index * 1000 + 99 - index),
  );
});
