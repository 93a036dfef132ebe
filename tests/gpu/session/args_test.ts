/** Argument records: every tag, every way to be wrong, in the order in which it is found out. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ArgList } from "../../../gpu/session/args.ts";
import { DEFAULT_GPU_LIMITS, GPU_CODES } from "../../../gpu/mod.ts";
import type { KernelInfo, KernelParam } from "../../../gpu/mod.ts";
import { GpuRefusal } from "../../../gpu/session/refusal.ts";
import { ARG, encodeArgs } from "../../support/gpu_args.ts";

const MEMORY_BYTES = 65_536;
function findBuffer(_what: string, handle: bigint, offset: bigint): bigint {
  if (handle !== 7n) throw new GpuRefusal("invalidHandle", "no such buffer");
  return 0x7000n + offset;
}

/** Where the records are in the memory that they are parsed from. */
const AT = 333;

function parseInto(list: ArgList, bytes: Uint8Array): ArgList {
  const memory = new Uint8Array(MEMORY_BYTES);
  memory.set(bytes, AT);
  list.parse(memory, AT, bytes.length, findBuffer);
  return list;
}

function parse(bytes: Uint8Array): ArgList {
  return parseInto(new ArgList(DEFAULT_GPU_LIMITS), bytes);
}

/** The code and text of a refusal. */
function refusal(run: () => void): readonly [code: string, text: string] {
  try {
    run();
  } catch (error) {
    if (error instanceof GpuRefusal) return [error.code, error.message];
    throw error;
  }
  return ["none", ""];
}

/** A kernel with parameters of these types, each at its natural alignment. */
function kernelOf(...types: readonly string[]): KernelInfo {
  let end = 0;
  const params: KernelParam[] = types.map((type) => {
    const byteLength = Number(type.slice(1)) / 8;
    const offset = Math.ceil(end / byteLength) * byteLength;
    end = offset + byteLength;
    return { type, byteLength, offset };
  });
  return {
    name: "kernel",
    params,
    paramBytes: end,
    sharedBytes: 0,
    localBytes: 0,
    threadsPerBlockMax: 1024,
    requiredBlock: undefined,
  };
}

function blockOf(list: ArgList, kernel: KernelInfo): DataView {
  list.checkAgainst(kernel);
  const block = new DataView(new ArrayBuffer(kernel.paramBytes));
  list.writeParams(kernel, block);
  return block;
}

Deno.test("every scalar lands at its parameter's offset, whatever the alignment", () => {
  const bytes = encodeArgs(
    ARG.i32(-5),
    ARG.i64(-(2n ** 62n)),
    ARG.f32(1.5),
    ARG.f64(Math.PI),
    ARG.u32(0xfedc_ba98),
    ARG.u64(2n ** 63n + 1n),
  );
  const block = blockOf(parse(bytes), kernelOf("s32", "s64", "f32", "f64", "u32", "u64"));
  assert.equal(block.byteLength, 48);
  assert.equal(block.getInt32(0, true), -5);
  assert.equal(block.getBigInt64(8, true), -(2n ** 62n));
  assert.equal(block.getFloat32(16, true), 1.5);
  assert.equal(block.getFloat64(24, true), Math.PI);
  assert.equal(block.getUint32(32, true), 0xfedc_ba98);
  assert.equal(block.getBigUint64(40, true), 2n ** 63n + 1n);
});

Deno.test("bits of NaN go through unchanged", () => {
  const bytes = Uint8Array.from([3, 0x01, 0x00, 0xa0, 0x7f, 4, 1, 2, 3, 4, 5, 6, 0xf4, 0x7f]);
  const block = blockOf(parse(bytes), kernelOf("f32", "f64"));
  assert.equal(block.getUint32(0, true), 0x7fa0_0001);
  assert.equal(block.getBigUint64(8, true), 0x7ff4_0605_0403_0201n);
});

Deno.test("windows and buffers are 64-bit addresses", () => {
  const list = parse(
    encodeArgs(ARG.inOut(1, 2), ARG.in(65_535, 1), ARG.out(0, 65_536), ARG.buffer(7n, 0x20n)),
  );
  assert.deepEqual([list.windowOffset(1), list.windowLength(1)], [65_535, 1]);
  for (const index of [0, 1, 2]) list.setPointer(index, BigInt(index) + 2n ** 40n);
  const block = blockOf(list, kernelOf("u64", "b64", "u64", "u64"));
  assert.deepEqual([0, 8, 16, 24].map((at) => block.getBigUint64(at, true)), [
    2n ** 40n,
    2n ** 40n + 1n,
    2n ** 40n + 2n,
    0x7020n,
  ]);
});

Deno.test("an empty list is a kernel without parameters", () => {
  assert.equal(blockOf(parse(new Uint8Array(0)), kernelOf()).byteLength, 0);
});

Deno.test("a list is used again without a trace of the one before", () => {
  const list = new ArgList(DEFAULT_GPU_LIMITS);
  parseInto(list, encodeArgs(ARG.i64(-1n), ARG.i64(-1n)));
  parseInto(list, encodeArgs(ARG.i32(3)));
  assert.equal(list.count, 1);
  assert.equal(blockOf(list, kernelOf("s32")).getInt32(0, true), 3);
});

Deno.test("a list has another version whenever its records are others", () => {
  const list = new ArgList(DEFAULT_GPU_LIMITS);
  const version = (bytes: Uint8Array): number => parseInto(list, bytes).version;
  const first = version(encodeArgs(ARG.in(0, 4)));
  assert.equal(version(encodeArgs(ARG.in(0, 4))), first);
  const second = version(encodeArgs(ARG.in(0, 5)));
  assert.notEqual(second, first);
  assert.notEqual(version(encodeArgs(ARG.in(0, 5), ARG.i32(0))), second);
  assert.notEqual(version(encodeArgs(ARG.in(0, 5))), second);
});

const TRUNCATED: readonly (readonly [name: string, record: readonly number[], bytes: number])[] = [
  ["i32", ARG.i32(1), 4],
  ["i64", ARG.i64(1n), 8],
  ["f32", ARG.f32(1), 4],
  ["f64", ARG.f64(1), 8],
  ["u32", ARG.u32(1), 4],
  ["u64", ARG.u64(1n), 8],
  ["in-out window", ARG.inOut(0, 1), 8],
  ["in window", ARG.in(0, 1), 8],
  ["out window", ARG.out(0, 1), 8],
  ["device buffer", ARG.buffer(7n), 16],
];
for (const [name, record, bytes] of TRUNCATED) {
  Deno.test(`a record of ${name} that is cut off anywhere is refused`, () => {
    const first = ARG.i32(0);
    for (let length = 1; length < record.length; length++) {
      const cut = Uint8Array.from([...first, ...record.slice(0, length)]);
      assert.deepEqual(refusal(() => parse(cut)), [
        "invalidArgs",
        `Argument 1: ${name} needs ${bytes} bytes, got ${length - 1}`,
      ]);
    }
  });
}

Deno.test("every byte that is no tag is refused by its number", () => {
  for (let tag = 0; tag < 256; tag++) {
    if (tag >= 1 && tag <= 10) continue;
    const [code, text] = refusal(() => parse(Uint8Array.from([tag, 0, 0, 0, 0, 0, 0, 0, 0])));
    assert.deepEqual([code, text], [
      "invalidArgs",
      `Argument 0: unknown tag 0x${tag.toString(16).padStart(2, "0")}`,
    ]);
  }
});

Deno.test("128 records are taken and 129 are not, whatever the last one is", () => {
  const records = Array.from({ length: 128 }, () => ARG.i32(1));
  assert.equal(parse(encodeArgs(...records)).count, 128);
  const [code, text] = refusal(() => parse(Uint8Array.from([...encodeArgs(...records), 0xff])));
  assert.deepEqual([code, text], [
    "kernelArgsUnsupported",
    "Too many arguments: gpuArgsCountMax is 128, got 129",
  ]);
});

Deno.test("4096 bytes are looked at and 4097 are not", () => {
  const bytes = new Uint8Array(4097).fill(0xff);
  assert.equal(refusal(() => parse(bytes.subarray(0, 4096)))[0], "invalidArgs");
  assert.deepEqual(refusal(() => parse(bytes)), [
    "kernelArgsUnsupported",
    "Argument records are too long: gpuArgsBytesMax is 4096, got 4097",
  ]);
});

Deno.test("a window must lie in memory; one without a byte may be at its very end", () => {
  for (const make of [ARG.inOut, ARG.in, ARG.out]) {
    assert.equal(parse(encodeArgs(make(MEMORY_BYTES, 0))).count, 1);
    for (
      const [offset, length] of [[MEMORY_BYTES, 1], [MEMORY_BYTES + 1, 0], [
        0xffff_ffff,
        0xffff_ffff,
      ]] as const
    ) {
      assert.deepEqual(refusal(() => parse(encodeArgs(ARG.i32(0), make(offset, length)))), [
        "invalidPointer",
        `Argument 1: ${length} bytes at ${offset} exceed the memory of 65536 bytes`,
      ]);
    }
  }
});

Deno.test("a buffer that is none is refused before later records are looked at", () => {
  const bytes = Uint8Array.from([...ARG.buffer(8n), 0xff]);
  assert.equal(refusal(() => parse(bytes))[0], "invalidHandle");
});

Deno.test("a wrong number of arguments names what is expected and what came", () => {
  const list = parse(encodeArgs(ARG.i32(1), ARG.i32(2)));
  assert.deepEqual(refusal(() => list.checkAgainst(kernelOf("s32"))), [
    "invalidArgs",
    "Kernel kernel takes 1 argument, got 2",
  ]);
  assert.deepEqual(refusal(() => list.checkAgainst(kernelOf("s32", "s32", "s32"))), [
    "invalidArgs",
    "Kernel kernel takes 3 arguments, got 2",
  ]);
});

Deno.test("a wrong size names index, expected and got", () => {
  const list = parse(encodeArgs(ARG.in(0, 4), ARG.i32(2)));
  assert.deepEqual(refusal(() => list.checkAgainst(kernelOf("u64", "f64"))), [
    "invalidArgs",
    "Argument 1 of kernel: expected 8 bytes (f64), got 4 bytes (i32)",
  ]);
  assert.deepEqual(refusal(() => list.checkAgainst(kernelOf("u32", "s32"))), [
    "invalidArgs",
    "Argument 0 of kernel: expected 4 bytes (u32), got 8 bytes (in window)",
  ]);
});

Deno.test("a 32-bit integer stands for a narrow one as far as it fits", () => {
  for (
    const [type, good, bad] of [
      ["u8", [0, 255, -128], [256, -129]],
      ["s16", [-32_768, 65_535], [65_536, -32_769]],
      ["b16", [1], [1e6]],
    ] as const
  ) {
    for (const value of good) {
      const block = blockOf(parse(encodeArgs(ARG.i32(value))), kernelOf(type));
      assert.equal(block.getUint8(0), value & 0xff, `${type} ${value}`);
    }
    for (const value of bad) {
      assert.equal(
        refusal(() => parse(encodeArgs(ARG.i32(value))).checkAgainst(kernelOf(type)))[0],
        "invalidArgs",
      );
    }
  }
  // No float is narrowed, and no structure is made of a number.
  assert.equal(refusal(() => parse(encodeArgs(ARG.f32(1))).checkAgainst(kernelOf("u16")))[0], "invalidArgs");
  assert.equal(refusal(() => parse(encodeArgs(ARG.i32(1))).checkAgainst(kernelOf("f16")))[0], "invalidArgs");
  const struct = { ...kernelOf("u8"), params: [{ offset: 0, byteLength: 2, type: "b8" }], paramBytes: 2 };
  assert.equal(refusal(() => parse(encodeArgs(ARG.i32(1))).checkAgainst(struct))[0], "invalidArgs");
});

Deno.test("any bytes at all are taken or refused with a code, and never read past", () => {
  const codes = new Set(Object.keys(GPU_CODES));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 4 }), (body, start) => {
      const bytes = Uint8Array.from([...start.map((byte) => byte % 12), ...body]);
      const [code] = refusal(() => parse(bytes));
      assert.ok(code === "none" || codes.has(code));
    }),
    { numRuns: 2000 },
  );
});
