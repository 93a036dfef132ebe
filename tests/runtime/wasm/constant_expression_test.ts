import assert from "node:assert/strict";
import { skipConstantExpression } from "../../../runtime/wasm/constant_expression.ts";
import { ByteReader } from "../../../runtime/wasm/reader.ts";

const EXPRESSIONS: Readonly<Record<string, readonly number[]>> = {
  "i32.const": [0x41, 0xff, 0x00],
  "i64.const": [0x42, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f],
  "f32.const with the bytes of end": [0x43, 0x0b, 0x0b, 0x0b, 0x0b],
  "f64.const with the bytes of end": [0x44, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b],
  "v128.const with the bytes of end": [0xfd, 0x0c, ...Array<number>(16).fill(0x0b)],
  "global.get of index 11": [0x23, 0x0b],
  "ref.func": [0xd2, 0x80, 0x01],
  "ref.null of an abstract type": [0xd0, 0x70],
  "ref.null of type 11": [0xd0, 0x0b],
  "extended arithmetic": [0x41, 1, 0x41, 2, 0x6a, 0x41, 3, 0x6b, 0x41, 4, 0x6c],
  "struct.new": [0x41, 1, 0xfb, 0, 0x0b],
  "array.new_fixed": [0x41, 1, 0x41, 2, 0xfb, 8, 0x0b, 2],
  "ref.i31 to extern": [0x41, 1, 0xfb, 28, 0xfb, 27],
  "an opcode in two bytes": [0x41, 1, 0xfb, 0x9c, 0x00],
};

Deno.test("skipConstantExpression() stops exactly behind the end of each expression", () => {
  for (const [title, expression] of Object.entries(EXPRESSIONS)) {
    const reader = new ByteReader(Uint8Array.from([...expression, 0x0b, 0xee]));
    skipConstantExpression(reader);
    assert.equal(reader.offset, expression.length + 1, title);
  }
});

Deno.test("skipConstantExpression() refuses each expression that is cut anywhere", () => {
  for (const [title, expression] of Object.entries(EXPRESSIONS)) {
    for (let length = 0; length <= expression.length; length++) {
      const reader = new ByteReader(Uint8Array.from(expression.slice(0, length)));
      assert.throws(
        () => skipConstantExpression(reader),
        { code: "invalid_wasm" },
        `${title} of ${length} bytes`,
      );
    }
  }
});

Deno.test("skipConstantExpression() refuses instructions that are not constant", () => {
  const refused = [[0x01], [0x02, 0x40], [0x10, 0], [0x28, 2, 0], [0xfb, 9, 0, 0], [0xfd, 0], [0xfc, 0], [
    0x6d,
  ]];
  for (const instruction of refused) {
    const reader = new ByteReader(Uint8Array.from([...instruction, 0x0b]));
    const message = /at byte 0: an instruction is not constant/;
    assert.throws(() => skipConstantExpression(reader), { code: "invalid_wasm", message });
  }
});
