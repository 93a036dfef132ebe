/**
 * CpuContext: allocations, modules, streams, events, and what a disposed context or module says.
 */
import assert from "node:assert/strict";
import { createCpuDevice } from "../../../gpu/cpu/mod.ts";
import type { GpuContext, GpuModule } from "../../../gpu/device.ts";
import { HEADER, kernelText, launchText, openContext, outcomeOf } from "./device_support.ts";

const device = createCpuDevice();
const ENCODER = new TextEncoder();

function load(context: GpuContext, text: string): GpuModule {
  return context.loadModule(ENCODER.encode(text));
}

Deno.test("a context counts what is allocated, and refuses what is above its limit with both numbers", async () => {
  using context = device.createContext({
    memoryBytesMax: 10_000,
    pacer: { tick: () => 1, charge: () => {}, wait: async () => {} },
    print: () => {},
  });
  const pointer = context.allocate(6000);
  assert.equal(context.allocatedBytes, 6000);
  const { name, text } = await outcomeOf(() => context.allocate(4001));
  assert.equal(name, "CUDA_ERROR_OUT_OF_MEMORY");
  assert.match(text, /memoryBytesMax is 10000, got 10001/);
  context.free(pointer);
  assert.equal(context.allocatedBytes, 0);
  context.allocate(10_000);
});

Deno.test("sizes that are no sizes are refused", async () => {
  using context = openContext(device);
  for (const byteLength of [0, -1, 1.5, NaN, Infinity, 2 ** 50]) {
    const { name } = await outcomeOf(() => context.allocate(byteLength));
    assert.equal(
      name,
      byteLength > 1e6 && Number.isFinite(byteLength)
        ? "CUDA_ERROR_OUT_OF_MEMORY"
        : "CUDA_ERROR_INVALID_VALUE",
    );
  }
});

Deno.test("only what was allocated can be freed, once, by its start", async () => {
  using context = openContext(device);
  const pointer = context.allocate(1024);
  for (const wrong of [0n, -1n, pointer + 256n, 2n ** 63n]) {
    assert.equal((await outcomeOf(() => context.free(wrong))).name, "CUDA_ERROR_INVALID_VALUE");
  }
  context.free(pointer);
  assert.equal((await outcomeOf(() => context.free(pointer))).name, "CUDA_ERROR_INVALID_VALUE");
});

Deno.test("an allocation is aligned to 256 bytes and zero, also where something was before", () => {
  using context = openContext(device);
  const first = context.allocate(1000);
  context.copyToDevice(first, new Uint8Array(1000).fill(5));
  context.free(first);
  const second = context.allocate(1000);
  const bytes = new Uint8Array(1000).fill(1);
  context.copyFromDevice(bytes, second);
  assert.equal(second % 256n, 0n);
  assert.ok(bytes.every((byte) => byte === 0));
});

Deno.test("copies outside of the memory are refused, and poison nothing", async () => {
  using context = openContext(device);
  const pointer = context.allocate(256);
  for (const wrong of [0n, pointer + (1n << 40n), -1n]) {
    assert.equal(
      (await outcomeOf(() => context.copyToDevice(wrong, new Uint8Array(4)))).name,
      "CUDA_ERROR_INVALID_VALUE",
    );
    assert.equal(
      (await outcomeOf(() => context.copyFromDevice(new Uint8Array(4), wrong))).name,
      "CUDA_ERROR_INVALID_VALUE",
    );
    assert.equal((await outcomeOf(() => context.fillZero?.(wrong, 4))).name, "CUDA_ERROR_INVALID_VALUE");
  }
  await launchText(context, kernelText(""), { params: [pointer] });
});

Deno.test("streams are done at once, events are ordered, and time between them is not negative", () => {
  using context = openContext(device);
  using stream = context.createStream();
  using start = context.createEvent();
  using end = context.createEvent();
  assert.notEqual(start.id, end.id);
  context.recordEvent(start, stream);
  context.recordEvent(end, stream);
  context.waitEvent(stream, end);
  assert.equal(context.queryEvent(end), true);
  context.synchronizeEvent(end);
  context.synchronize(stream);
  assert.ok(context.elapsedMs(start, end) >= 0);
});

Deno.test("an event that was not recorded or was destroyed has no time", async () => {
  using context = openContext(device);
  const [start, end] = [context.createEvent(), context.createEvent()];
  context.recordEvent(start);
  assert.equal((await outcomeOf(() => context.elapsedMs(start, end))).name, "CUDA_ERROR_INVALID_HANDLE");
  start[Symbol.dispose]();
  assert.equal((await outcomeOf(() => context.recordEvent(start))).name, "CUDA_ERROR_INVALID_HANDLE");
});

Deno.test("a disposed context answers every call with one error, and takes no memory", async () => {
  const context = openContext(device);
  const pointer = context.allocate(256);
  context[Symbol.dispose]();
  context[Symbol.dispose]();
  for (
    const call of [
      () => context.allocate(1),
      () => context.free(pointer),
      () => context.synchronize(),
      () => context.createEvent(),
      () => load(context, kernelText("")),
      () => context.copyToDevice(pointer, new Uint8Array(1)),
    ]
  ) assert.equal((await outcomeOf(call)).name, "CUDA_ERROR_INVALID_CONTEXT");
  assert.deepEqual([context.allocatedBytes, context.residentBytes], [0, 0]);
});

Deno.test("a kernel of a module that is disposed of, or of another kind, is not launched", async () => {
  using context = openContext(device);
  const module = load(context, kernelText(""));
  const kernel = module.kernels.get("k");
  assert.ok(kernel !== undefined);
  module[Symbol.dispose]();
  const launch = {
    module,
    kernel,
    grid: { x: 1, y: 1, z: 1 },
    block: { x: 1, y: 1, z: 1 },
    sharedBytes: 0,
    params: new Uint8Array(8),
  };
  assert.equal((await outcomeOf(() => context.launch(launch))).name, "CUDA_ERROR_INVALID_HANDLE");
});

Deno.test("a module's variables are each context's own, and are gone with it", async () => {
  const text = `${HEADER}.visible .global .u32 counter = 5;
    .visible .entry k(.param .u64 m) { .reg .b32 %r<3>; .reg .b64 %d<2>; ld.param.u64 %d1, [m];
    atom.global.add.u32 %r1, [counter], 1; st.global.u32 [%d1], %r1; ret; }`;
  const seen: number[] = [];
  using one = openContext(device);
  using other = openContext(device);
  for (const context of [one, one, other]) {
    const place = context.allocate(4);
    await launchText(context, text, { params: [place] });
    const bytes = new Uint8Array(4);
    context.copyFromDevice(bytes, place);
    seen.push(bytes[0] ?? -1);
  }
  // Each launchText loads the module anew.
  assert.deepEqual(seen, [5, 5, 5]);
  const module = load(one, text);
  const found = module.findGlobal("counter");
  assert.equal(found?.byteLength, 4);
  const bytes = new Uint8Array(4);
  one.copyFromDevice(bytes, found?.pointer ?? 0n);
  assert.deepEqual([...bytes], [5, 0, 0, 0]);
  assert.equal(module.findGlobal("nobody"), undefined);
  module[Symbol.dispose]();
  assert.equal(module.findGlobal("counter"), undefined);
});

Deno.test("a kernel's description says what it takes", () => {
  using context = openContext(device);
  using module = load(
    context,
    `${HEADER}.visible .entry k(.param .u8 a, .param .f64 b, .param .align 4 .b8 c[12], .param .u16 d)
     .reqntid 8, 4, 2 { .shared .align 4 .b8 s[100]; .local .align 4 .b8 l[10]; .reg .b32 %r<3>;
     st.shared.u32 [s], %r1; st.local.u32 [l], %r1; ret; }`,
  );
  const kernel = module.kernels.get("k");
  assert.deepEqual(kernel?.params, [
    { offset: 0, byteLength: 1, type: "u8" },
    { offset: 8, byteLength: 8, type: "f64" },
    { offset: 16, byteLength: 12, type: "b8" },
    { offset: 28, byteLength: 2, type: "u16" },
  ]);
  assert.deepEqual(
    [kernel?.paramBytes, kernel?.sharedBytes, kernel?.localBytes, kernel?.threadsPerBlockMax],
    [30, 112, 16, 64],
  );
  assert.deepEqual(kernel?.requiredBlock, { x: 8, y: 4, z: 2 });
  assert.deepEqual([...module.kernels.keys()], ["k"]);
});

Deno.test("a kernel that is not supported does not keep its module's others from running", async () => {
  using context = openContext(device);
  using module = load(
    context,
    `${HEADER}.visible .entry bad() { .reg .b32 %r<3>; nonsense.u32 %r1, %r2; ret; }
     .visible .entry good() { ret; }`,
  );
  assert.deepEqual([...module.kernels.keys()], ["bad", "good"]);
  assert.equal(module.kernels.get("good")?.paramBytes, 0);
  const { name, text } = await outcomeOf(() => module.kernels.get("bad"));
  assert.equal(name, "CUDA_ERROR_INVALID_PTX");
  assert.match(text, /line 4.*nonsense/);
});

Deno.test("the context keeps the first error, also of a launch that nobody waited for", async () => {
  using context = openContext(device);
  const module = load(context, kernelText("trap;"));
  const kernel = module.kernels.get("k");
  assert.ok(kernel !== undefined);
  await context.launch({
    module,
    kernel,
    grid: { x: 1, y: 1, z: 1 },
    block: { x: 1, y: 1, z: 1 },
    sharedBytes: 0,
    params: new Uint8Array(8),
  });
  for (let again = 0; again < 3; again++) {
    assert.equal((await outcomeOf(() => context.synchronize())).name, "CUDA_ERROR_LAUNCH_FAILED");
  }
});

Deno.test("launches that are not waited for run one after the other, with the parameters that they had", async () => {
  using context = device.createContext({
    memoryBytesMax: 2 ** 20,
    pacer: { tick: () => Promise.resolve(500), charge: () => {}, wait: async () => {} },
    print: () => {},
  });
  const module = load(
    context,
    `${HEADER}.visible .entry k(.param .u64 m, .param .u64 n) { .reg .b32 %r<5>; .reg .b64 %d<4>; .reg .pred %p<2>;
     ld.param.u64 %d1, [m]; ld.param.u64 %d2, [n]; mov.u32 %r1, 0;
     L: add.u32 %r1, %r1, 1; setp.lt.u32 %p1, %r1, 2000; @%p1 bra L;
     ld.global.u64 %d3, [%d1]; mad.lo.u64 %d3, %d3, 10, %d2; st.global.u64 [%d1], %d3; ret; }`,
  );
  const kernel = module.kernels.get("k");
  assert.ok(kernel !== undefined);
  const pointer = context.allocate(8);
  const one = { x: 1, y: 1, z: 1 };
  const params = new BigUint64Array([pointer, 0n]);
  await Promise.all([1n, 2n, 3n, 4n].map((digit) => {
    params[1] = digit;
    const launch = {
      module,
      kernel,
      grid: one,
      block: one,
      sharedBytes: 0,
      params: new Uint8Array(params.buffer),
    };
    return context.launch(launch);
  }));
  const bytes = new Uint8Array(8);
  context.copyFromDevice(bytes, pointer);
  assert.equal(new DataView(bytes.buffer).getBigUint64(0, true), 1234n);
});
