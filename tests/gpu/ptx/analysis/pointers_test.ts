/**
 * Pointers: which registers are kept without the base of device addresses, and that nobody notices.
 */
import assert from "node:assert/strict";
import { createCpuDevice } from "../../../../gpu/cpu/mod.ts";
import { choosePointers } from "../../../../gpu/ptx/analysis/pointers.ts";
import { kernelText, launchText, openContext } from "../../cpu/device_support.ts";
import { passBody } from "../pass_support.ts";

function pointersOf(body: string): string[] {
  const { kernel, cfg, register } = passBody(body);
  const chosen = choosePointers(kernel, cfg);
  const names = [...new Set([...body.matchAll(/%d\d+/g)].map(([name]) => name))];
  return names.filter((name) => chosen.has(register(name)));
}

Deno.test("an address and what it is made of are pointers, the offset is not", () => {
  assert.deepEqual(
    pointersOf(
      "ld.param.u64 %d1, [memory]; cvta.to.global.u64 %d2, %d1; cvt.u64.u32 %d3, %r1; add.u64 %d4, %d2, %d3; ld.global.u32 %r2, [%d4];",
    ),
    ["%d1", "%d2", "%d4"],
  );
  assert.deepEqual(
    pointersOf(
      "ld.param.u64 %d1, [memory]; mul.wide.u32 %d2, %r1, 4; add.u64 %d3, %d2, %d1; st.global.u32 [%d3], %r1;",
    ),
    ["%d1", "%d3"],
  );
});

Deno.test("addresses of shared and local memory are none", () => {
  assert.deepEqual(pointersOf("mov.u64 %d1, 16; ld.shared.u32 %r1, [%d1]; st.local.u32 [%d1], %r1;"), []);
});

Deno.test("what lanes exchange is none", () => {
  assert.deepEqual(
    pointersOf("ld.param.u64 %d1, [memory]; match.any.sync.b64 %r1, %d1, -1; ld.global.u32 %r2, [%d1];"),
    [],
  );
});

Deno.test("a pointer that is also looked at has its base", async () => {
  using context = openContext(createCpuDevice());
  const pointer = context.allocate(256);
  await launchText(
    context,
    kernelText(
      `add.u64 %d1, %memory, 8; st.global.u64 [%memory], %d1; sub.u64 %d2, %d1, %memory; st.global.u64 [%d1], %d2;
       mov.u64 %d3, %d1; shr.u64 %d4, %d3, 4; st.global.u64 [%d3+8], %d4; setp.gt.u64 %p1, %d3, %memory;
       selp.u64 %d5, 1, 0, %p1; st.global.u64 [%d3+16], %d5; mad.lo.u64 %d6, %d5, 32, %memory; st.global.u64 [%d6], %d6;`,
    ),
    { params: [pointer] },
  );
  const bytes = new Uint8Array(40);
  context.copyFromDevice(bytes, pointer);
  assert.deepEqual([...new BigUint64Array(bytes.buffer)], [
    pointer + 8n,
    8n,
    (pointer + 8n) >> 4n,
    1n,
    pointer + 32n,
  ]);
});
