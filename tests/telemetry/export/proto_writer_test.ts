import assert from "node:assert/strict";
import { ProtoWriter } from "../../../telemetry/export/proto_writer.ts";

function written(write: (writer: ProtoWriter) => void): string {
  const writer = new ProtoWriter(1);
  write(writer);
  return writer.take().toHex();
}

for (
  const [value, hex] of [[0, "00"], [127, "7f"], [128, "8001"], [300, "ac02"], [
    2 ** 32 - 1,
    "ffffffff0f",
  ]] as const
) {
  Deno.test(`ProtoWriter.varint() writes ${value}`, () =>
    assert.equal(written((to) => to.varint(value)), hex));
}

for (
  const [value, hex] of [
    [-1, "ffffffffffffffffff01"],
    [-2, "feffffffffffffffff01"],
    [2 ** 32, "8080808010"],
    [2 ** 53 - 1, "ffffffffffffff0f"],
    [-(2 ** 32), "80808080f0ffffffff01"],
  ] as const
) {
  Deno.test(`ProtoWriter.int64() writes ${value}`, () => assert.equal(written((to) => to.int64(value)), hex));
}

for (const length of [0, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152]) {
  Deno.test(`ProtoWriter.end() writes the shortest length of a message of ${length} bytes`, () => {
    const writer = new ProtoWriter(16);
    const start = writer.begin();
    writer.raw(new Uint8Array(length).fill(7));
    writer.end(start);
    const bytes = writer.take();
    const lengthBytes = written((to) => to.varint(length));
    assert.equal(bytes.subarray(0, lengthBytes.length / 2).toHex(), lengthBytes);
    assert.equal(bytes.length, lengthBytes.length / 2 + length);
    assert.ok(bytes.subarray(lengthBytes.length / 2).every((byte) => byte === 7));
  });
}

Deno.test("ProtoWriter.nanos() writes little-endian nanoseconds", () => {
  const writer = new ProtoWriter(8);
  writer.nanos(1_700_000_000_123.5);
  const bytes = writer.take();
  const value = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  assert.equal(value, 1_700_000_000_123_500_000n);
});

Deno.test("ProtoWriter.string() replaces a lone surrogate", () => {
  assert.equal(written((to) => to.string("\ud800")), "03efbfbd");
});

Deno.test("ProtoWriter.take() empties the writer and leaves what was taken alone", () => {
  const writer = new ProtoWriter(1);
  writer.string("a".repeat(2 * 1024 * 1024));
  const first = writer.take();
  writer.string("b");
  assert.equal(writer.take().toHex(), "0162");
  assert.equal(first.length, 2 * 1024 * 1024 + 4);
  assert.equal(first.at(-1), 0x61);
});
