import assert from "node:assert/strict";
import { ByteReader } from "../../../runtime/wasm/reader.ts";
import {
  FUNCTION_VALUES_MAX,
  readTypeSection,
  readValueType,
  STRUCT_FIELDS_MAX,
  TYPES_MAX,
  type TypeTable,
} from "../../../runtime/wasm/type_section.ts";
import { F32, F64, func, I32, I64, u, V128, vec } from "../../support/module_bytes.ts";

function tableOf(...types: number[][]): TypeTable {
  const bytes = Uint8Array.from(vec(...types));
  return readTypeSection(bytes, new ByteReader(bytes));
}

function refuses(bytes: readonly number[] | Uint8Array, message: RegExp): void {
  const content = Uint8Array.from(bytes);
  assert.throws(() => readTypeSection(content, new ByteReader(content)), { code: "invalid_wasm", message });
}

Deno.test("readValueType() reads the five number and vector types", () => {
  const reader = new ByteReader(Uint8Array.from([I32, I64, F32, F64, V128]));
  const types = Array.from({ length: 5 }, () => readValueType(reader));
  assert.deepEqual(types, ["i32", "i64", "f32", "f64", "v128"]);
});

Deno.test("readValueType() takes exactly the bytes that the engine takes", () => {
  for (let byte = 0; byte < 256; byte++) {
    // One type of one parameter; 0x63 and 0x64 take another byte and are left to the next test.
    if (byte === 0x63 || byte === 0x64) continue;
    const module = Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 5, 1, 0x60, 1, byte, 0]);
    const reader = new ByteReader(Uint8Array.from([byte]));
    const accepted = acceptance(() => readValueType(reader));
    assert.equal(accepted, WebAssembly.validate(module), `value type 0x${byte.toString(16)}`);
  }
});

Deno.test("readValueType() takes exactly the abstract heap types that the engine takes", () => {
  for (let heap = 0x40; heap < 0x80; heap++) {
    for (const ref of [0x63, 0x64]) {
      const module = Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 6, 1, 0x60, 1, ref, heap, 0]);
      const reader = new ByteReader(Uint8Array.from([ref, heap]));
      const accepted = acceptance(() => assert.equal(readValueType(reader), "ref"));
      assert.equal(accepted, WebAssembly.validate(module), `heap type 0x${heap.toString(16)}`);
    }
  }
});

function acceptance(act: () => unknown): boolean {
  try {
    act();
    return true;
  } catch (error) {
    assert.equal((error as { code?: unknown }).code, "invalid_wasm");
    return false;
  }
}

Deno.test("readTypeSection() resolves function types by index", () => {
  const types = tableOf(func(), func([I32, F64], [I64]), func([], [V128, 0x6f]));
  assert.deepEqual(types.get(0), { params: [], results: [] });
  assert.deepEqual(types.get(1), { params: ["i32", "f64"], results: ["i64"] });
  assert.deepEqual(types.get(2), { params: [], results: ["v128", "ref"] });
});

Deno.test("TypeTable.get() gives the same object for the same index", () => {
  const types = tableOf(func([I32]));
  assert.equal(types.get(0), types.get(0));
});

Deno.test("readTypeSection() counts the members of a recursion group one by one", () => {
  const group = [0x4e, ...vec([0x5f, 0x01, 0x63, 0x01, 0x00], [0x60, 1, 0x63, 0x00, 1, I32])];
  const types = tableOf(func([F32]), group, func([F64]));
  assert.deepEqual(types.get(0).params, ["f32"]);
  assert.deepEqual(types.get(2), { params: ["ref"], results: ["i32"] });
  assert.deepEqual(types.get(3).params, ["f64"]);
});

Deno.test("readTypeSection() takes an empty recursion group, which has no index", () => {
  assert.deepEqual(tableOf([0x4e, 0], func([I32])).get(0).params, ["i32"]);
});

Deno.test("readTypeSection() reads sub types, final or not, with and without a super type", () => {
  const types = tableOf([0x50, 0, ...func([I32])], [0x4f, 1, 0, ...func([I32])], [0x50, 0, 0x5e, I32, 1]);
  assert.deepEqual(types.get(0), { params: ["i32"], results: [] });
  assert.deepEqual(types.get(1), { params: ["i32"], results: [] });
});

Deno.test("readTypeSection() reads packed, mutable and reference fields", () => {
  const struct = [0x5f, ...vec([0x78, 0], [0x77, 1], [V128, 0], [0x64, 0x6e, 1], [0x6d, 0])];
  assert.deepEqual(tableOf(struct, [0x5e, 0x78, 1], func([I64])).get(2).params, ["i64"]);
});

Deno.test("TypeTable.check() refuses structs, arrays and indices out of range", () => {
  const types = tableOf(func(), [0x5f, 0], [0x5e, I32, 0]);
  types.check(0, 9);
  for (const index of [1, 2]) {
    assert.throws(() => types.check(index, 9), {
      message: /at byte 9: a type index is not of a function type/,
    });
  }
  assert.throws(() => types.check(3, 9), { message: /out of range/ });
});

Deno.test("readTypeSection() gives an empty table where there is no section", () => {
  assert.throws(() => readTypeSection(new Uint8Array(), undefined).check(0, 0), { code: "invalid_wasm" });
});

Deno.test("readTypeSection() refuses unknown forms, and groups within groups", () => {
  for (const form of [0x5d, 0x61, 0x65, 0x7f, 0x00]) refuses([1, form, 0], /a type has an unknown form/);
  refuses([1, 0x4e, 1, 0x4e, 0, 0], /a type has an unknown form/);
  refuses([1, 0x50, 0, 0x50, 0, 0x60, 0, 0], /a type has an unknown form/);
});

Deno.test("readTypeSection() refuses two super types", () => {
  refuses(vec(func(), func(), [0x50, 2, 0, 1, ...func()]), /super types limit is 1, got 2/);
});

Deno.test("readTypeSection() refuses unknown field types and mutabilities", () => {
  refuses([1, 0x5e, 0x76, 0], /a field type is unknown/);
  refuses([1, 0x5e, I32, 2], /a mutability is neither 0 nor 1/);
});

Deno.test("readTypeSection() refuses bytes behind the last type", () => {
  refuses([...vec(func()), 0], /longer than its content/);
});

Deno.test("readTypeSection() takes the most parameters and results and refuses one more of each", () => {
  const most = Array<number>(FUNCTION_VALUES_MAX).fill(I32);
  assert.equal(tableOf(func(most, most)).get(0).results.length, FUNCTION_VALUES_MAX);
  refuses(vec(func([...most, I32])), /limit is 1000, got 1001/);
  refuses(vec(func([], [...most, I32])), /limit is 1000, got 1001/);
});

Deno.test("readTypeSection() takes the most struct fields and refuses one more", () => {
  const field = [I32, 0];
  const fields = Array<number[]>(STRUCT_FIELDS_MAX).fill(field);
  tableOf([0x5f, ...vec(...fields)]);
  refuses(vec([0x5f, ...vec(...fields, field)]), /struct fields limit is 10000, got 10001/);
});

Deno.test("readTypeSection() takes the most types and refuses one more, bare or in a group", () => {
  const count = u(TYPES_MAX);
  const bytes = new Uint8Array(count.length + 3 * (TYPES_MAX + 2));
  bytes.set(count);
  for (let at = count.length; at < bytes.length; at += 3) bytes.set([0x60, 0, 0], at);
  const content = bytes.subarray(0, count.length + 3 * TYPES_MAX);
  readTypeSection(content, new ByteReader(content)).check(TYPES_MAX - 1, 0);

  // The same types, but the first entry is a group of all but one of them, so two more entries are too many.
  const inGroup = [3, 0x4e, ...u(TYPES_MAX - 1)];
  const grouped = new Uint8Array(inGroup.length + 3 * (TYPES_MAX + 1));
  grouped.set(inGroup);
  for (let at = inGroup.length; at < grouped.length; at += 3) grouped.set([0x60, 0, 0], at);
  refuses(grouped, /types limit is 1000000, got 1000001/);
  refuses([...u(TYPES_MAX + 1), 0x60, 0, 0], /types limit is 1000000, got 1000001/);
});

Deno.test("readTypeSection() refuses a count that the section cannot hold", () => {
  refuses([...u(999_999), 0x60, 0, 0], /a count exceeds the bytes left/);
});
