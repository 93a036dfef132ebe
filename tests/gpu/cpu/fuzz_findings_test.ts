/**
 * What fuzzing found: texts of which the device once made a module that no engine takes.
 */
import assert from "node:assert/strict";
import { createCpuDevice } from "../../../gpu/cpu/mod.ts";
import { runBody } from "./device_support.ts";

const device = createCpuDevice();

/** Bodies, and whether they run: ptxas refuses all of them, and the device may be more lenient. */
const BODIES: readonly (readonly [body: string, isRun: boolean])[] = [
  ["add.s16 %memory, %memory, 256; st.global.u16 [%memory], %h1;", true],
  ["mad.lo.u32 %d1, %d2, 2, %memory; st.global.u16 [%d1], %h1;", true],
  ["@%r1 mov.u32 %r2, 1;", false],
  ["@!%d1 mov.u32 %r2, 1;", false],
  ["@%f1 bra L; L:", false],
  ["setp.lt.and.u64 %p1|%p2, %d1, %d2, !%d3;", false],
];

for (const [body, isRun] of BODIES) {
  Deno.test(`fuzz finding ${JSON.stringify(body)} ${isRun ? "runs or faults" : "is refused"}`, async () => {
    const { status, text } = await runBody(device, body);
    assert.ok(isRun ? status !== 218 : status === 218, text);
  });
}
