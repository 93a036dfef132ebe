import assert from "node:assert/strict";
import fc from "fast-check";
import { RuntimeFault } from "../../../runtime/model/fault.ts";
import { ByteReader } from "../../../runtime/wasm/reader.ts";
import { u } from "../../support/module_bytes.ts";

const SEED = 20_260_101;

function readerOf(...bytes: number[]): ByteReader {
  return new ByteReader(Uint8Array.from(bytes));
}

function refuses(act: () => unknown, message: RegExp): void {
  assert.throws(act, (error) => {
    assert.ok(error instanceof RuntimeFault);
    assert.equal(error.code, "invalid_wasm");
    assert.match(error.message, message);
    return true;
  });
}

/** Signed LEB128 in the fewest bytes. */
function s(value: bigint): number[] {
  const bytes: number[] = [];
  for (let rest = value;;) {
    const low = Number(BigInt.asUintN(7, rest));
    rest >>= 7n;
    const done = (rest === 0n && low < 0x40) || (rest === -1n && low >= 0x40);
    bytes.push(done ? low : low | 0x80);
    if (done) return bytes;
  }
}

Deno.test("ByteReader.u32() reads every 32-bit integer and stops behind it", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xffff_ffff }), (value) => {
      const reader = readerOf(...u(value), 0xee);
      assert.equal(reader.u32(), value);
      assert.equal(reader.remaining, 1);
    }),
    { seed: SEED },
  );
});

Deno.test("ByteReader.u64() reads every 64-bit integer", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (value) => {
      assert.equal(readerOf(...u(value)).u64(), value);
    }),
    { seed: SEED },
  );
});

Deno.test("ByteReader.s33() reads every 33-bit integer", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 32n), max: 2n ** 32n - 1n }), (value) => {
      assert.equal(readerOf(...s(value)).s33(), Number(value));
    }),
    { seed: SEED },
  );
});

Deno.test("ByteReader.skipSigned() stops behind every integer of its size", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
      const wide = readerOf(...s(value), 0xee);
      wide.skipSigned(64);
      assert.equal(wide.remaining, 1);
      const narrow = readerOf(...s(BigInt.asIntN(32, value)), 0xee);
      narrow.skipSigned(32);
      assert.equal(narrow.remaining, 1);
    }),
    { seed: SEED },
  );
});

Deno.test("ByteReader.u32() takes zero in five bytes, the longest form", () => {
  assert.equal(readerOf(0x80, 0x80, 0x80, 0x80, 0x00).u32(), 0);
});

Deno.test("ByteReader.u32() refuses a sixth byte", () => {
  refuses(
    () => readerOf(0x80, 0x80, 0x80, 0x80, 0x80, 0x00).u32(),
    /at byte 0: an integer has too many bytes/,
  );
});

Deno.test("ByteReader.u32() takes the last used bit of the fifth byte and refuses the first unused one", () => {
  assert.equal(readerOf(0x80, 0x80, 0x80, 0x80, 0x08).u32(), 2 ** 31);
  refuses(() => readerOf(0x80, 0x80, 0x80, 0x80, 0x10).u32(), /unused bits/);
});

Deno.test("ByteReader.u64() refuses an eleventh byte and the first unused bit of the tenth", () => {
  const nine = Array<number>(9).fill(0x80);
  assert.equal(readerOf(...nine, 0x01).u64(), 2n ** 63n);
  refuses(() => readerOf(...nine, 0x02).u64(), /unused bits/);
  refuses(() => readerOf(...nine, 0x80, 0x00).u64(), /too many bytes/);
});

Deno.test("ByteReader.s33() refuses unused bits that are not copies of the sign", () => {
  const four = [0x80, 0x80, 0x80, 0x80];
  assert.equal(readerOf(...four, 0x0f).s33(), 15 * 2 ** 28);
  assert.equal(readerOf(...four, 0x70).s33(), -(2 ** 32));
  refuses(() => readerOf(...four, 0x10).s33(), /unused bits/);
  refuses(() => readerOf(...four, 0x60).s33(), /unused bits/);
  refuses(() => readerOf(...four, 0x80, 0x00).s33(), /too many bytes/);
});

Deno.test("ByteReader.skipSigned() refuses unused bits that are not copies of the sign", () => {
  const four = [0x80, 0x80, 0x80, 0x80];
  const nine = [...four, ...four, 0x80];
  readerOf(...four, 0x78).skipSigned(32);
  readerOf(...nine, 0x7f).skipSigned(64);
  refuses(() => readerOf(...four, 0x08).skipSigned(32), /unused bits/);
  refuses(() => readerOf(...nine, 0x01).skipSigned(64), /unused bits/);
});

Deno.test("ByteReader.u8() refuses to read beyond its part, even where the module goes on", () => {
  const part = readerOf(1, 2, 3).part(1);
  assert.equal(part.u8(), 1);
  refuses(() => part.u8(), /at byte 1: unexpected end/);
});

Deno.test("ByteReader.peek() does not move", () => {
  const reader = readerOf(7);
  assert.equal(reader.peek(), 7);
  assert.equal(reader.u8(), 7);
  refuses(() => reader.peek(), /unexpected end/);
});

Deno.test("ByteReader.part() takes all that is left and refuses one byte more", () => {
  assert.equal(readerOf(1, 2).part(2).remaining, 2);
  refuses(() => readerOf(1, 2).part(3), /unexpected end/);
});

Deno.test("ByteReader refuses a range that ends beyond the bytes", () => {
  assert.equal(new ByteReader(new Uint8Array(2), 1, 2).remaining, 1);
  refuses(() => new ByteReader(new Uint8Array(2), 1, 3), /a part ends beyond the module/);
});

Deno.test("ByteReader.count() takes the maximum and refuses one more, with both numbers", () => {
  assert.equal(readerOf(2, 0, 0).count("things", 2, 1), 2);
  refuses(
    () => readerOf(3, 0, 0, 0).count("things", 2, 1),
    /too many things: things limit is 2, got 3, at byte 0/,
  );
});

Deno.test("ByteReader.count() takes what fits into the bytes left and refuses one more", () => {
  assert.equal(readerOf(2, 0, 0, 0, 0).count("things", 9, 2), 2);
  refuses(() => readerOf(3, 0, 0, 0, 0).count("things", 9, 2), /a count exceeds the bytes left/);
});

Deno.test("ByteReader.name() keeps a byte order mark, which the engine keeps too", () => {
  assert.equal(readerOf(4, 0xef, 0xbb, 0xbf, 0x61).name(), "\ufeffa");
});

Deno.test("ByteReader.name() refuses what is not UTF-8", () => {
  const notUtf8 = [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xc3]];
  for (const bytes of notUtf8) {
    refuses(() => readerOf(bytes.length, ...bytes).name(), /a name is not UTF-8/);
  }
});

Deno.test("ByteReader.name() refuses a length beyond the part", () => {
  assert.equal(readerOf(2, 0x61, 0x62).name(), "ab");
  refuses(() => readerOf(3, 0x61, 0x62).name(), /a name ends beyond its section/);
});

Deno.test("ByteReader.finish() refuses bytes that are left over", () => {
  readerOf().finish();
  refuses(() => readerOf(0).finish(), /longer than its content/);
});
