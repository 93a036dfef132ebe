/**
 * Images: where a module's variables lie, what they hold, and what is filled in later.
 */
import assert from "node:assert/strict";
import { createCpuDevice } from "../../../../gpu/cpu/mod.ts";
import { linkModule } from "../../../../gpu/ptx/kernel/link.ts";
import { parsePtx } from "../../../../gpu/ptx/syntax/parser.ts";
import { PtxError } from "../../../../gpu/ptx/ptx_error.ts";
import { openContext } from "../../cpu/device_support.ts";
import { HEADER } from "../pass_support.ts";

const ENTRY = ".visible .entry k() { ret; }";

function imageOf(text: string): ReturnType<typeof linkModule>["image"] {
  return linkModule(parsePtx(HEADER + text + ENTRY)).image;
}

/** The bytes of a variable of a loaded module. */
function bytesOf(text: string, name: string): { bytes: Uint8Array; pointerOf: (other: string) => bigint } {
  using context = openContext(createCpuDevice());
  const module = context.loadModule(new TextEncoder().encode(HEADER + text + ENTRY));
  const found = module.findGlobal(name);
  assert.ok(found !== undefined);
  const bytes = new Uint8Array(found.byteLength);
  context.copyFromDevice(bytes, found.pointer);
  return { bytes, pointerOf: (other) => module.findGlobal(other)?.pointer ?? 0n };
}

Deno.test("variables lie one behind the other, each aligned", () => {
  const { symbols, byteLength } = imageOf(
    ".global .u8 a; .global .align 16 .b8 b[5]; .const .u16 c; .global .u64 d; .shared .b8 s[100];",
  );
  assert.deepEqual(
    [...symbols].map(([name, { offset, byteLength }]) => [name, offset, byteLength]),
    [["a", 0, 1], ["b", 16, 5], ["c", 22, 2], ["d", 24, 8]],
  );
  assert.equal(byteLength, 32);
});

Deno.test("initial values of every type are written", () => {
  const { bytes } = bytesOf(".global .align 4 .u16 a[4] = {1, -2, 0xabcd};", "a");
  assert.deepEqual([...bytes], [1, 0, 0xfe, 0xff, 0xcd, 0xab, 0, 0]);
  const { bytes: floats } = bytesOf(".const .f64 a[2] = {1.5, 0dC000000000000000};", "a");
  assert.deepEqual([...new Float64Array(floats.slice().buffer)], [1.5, -2]);
  const { bytes: rows } = bytesOf(".global .u8 a[2][3] = {{1, 2}, {3, 4, 5}};", "a");
  assert.deepEqual([...rows], [1, 2, 0, 3, 4, 5]);
});

Deno.test("addresses of variables are filled in, with what is added to them", () => {
  const text = ".global .u32 a[4]; .global .u64 p[3] = {a, a+8, generic(a)+4};";
  const { bytes, pointerOf } = bytesOf(text, "p");
  const a = pointerOf("a");
  assert.deepEqual([...new BigUint64Array(bytes.slice().buffer)], [a, a + 8n, a + 4n]);
});

Deno.test("addresses of functions are numbers that are not zero and differ", () => {
  const text = ".func f() { ret; } .func g() { ret; } .global .u64 table[2] = {f, g};";
  const [f = 0n, g = 0n] = new BigUint64Array(bytesOf(text, "table").bytes.slice().buffer);
  assert.ok(f !== 0n && g !== 0n && f !== g);
});

Deno.test("an extern variable is the one that is defined, in whichever order they stand", () => {
  for (
    const text of [
      ".extern .global .u32 a; .global .u32 a = 5;",
      ".global .u32 a = 5; .extern .global .u32 a;",
    ]
  ) {
    try {
      assert.deepEqual([...bytesOf(text, "a").bytes], [5, 0, 0, 0]);
    } catch (error) {
      // Declaring a name twice may be refused, but not by anything else.
      assert.match(String(error), /a/);
    }
  }
});

Deno.test("variables of a function's body are in the image as well", () => {
  const text = "{ .global .align 4 .u32 inner = 9; .reg .b32 %r<2>; ld.global.u32 %r1, [inner]; ret; }";
  const { symbols } = linkModule(parsePtx(`${HEADER}.visible .entry k() ${text}`)).image;
  assert.equal(symbols.get("inner")?.byteLength, 4);
});

Deno.test("an image that is too large is refused with the limit and the size", () => {
  assert.throws(
    () => imageOf(".global .b8 a[200000000]; .global .b8 b[200000000];"),
    (error) =>
      error instanceof PtxError && error.kind === "limit" && /Max is \d+, got 400000000/.test(error.message),
  );
});
