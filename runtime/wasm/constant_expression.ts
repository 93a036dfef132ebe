/**
 * Constant expressions: the few instructions that may initialise tables and globals.
 *
 * Owns finding the end of one, and how large the objects are that it makes. It does not evaluate or type them:
 * the engine validates. Invariant: an instruction that is not constant is refused, because its length would be
 * unknown here.
 */
import { type ByteReader, malformed } from "./reader.ts";
import { skipHeapType, type TypeTable } from "./type_section.ts";

// Opcodes (core specification, binary format, "Instructions"). Which of them are constant: validation,
// "Constant expressions".
const END = 0x0b;
const GLOBAL_GET = 0x23;
const I32_CONST = 0x41;
const I64_CONST = 0x42;
const F32_CONST = 0x43;
const F64_CONST = 0x44;
const REF_NULL = 0xd0;
const REF_FUNC = 0xd2;
const GC_PREFIX = 0xfb;
const VECTOR_PREFIX = 0xfd;
const V128_CONST = 12;
const STRUCT_NEW = 0;
const STRUCT_NEW_DEFAULT = 1;
const ARRAY_NEW = 6;
const ARRAY_NEW_DEFAULT = 7;
const ARRAY_NEW_FIXED = 8;
// i32 and i64 add, sub, mul.
const ARITHMETIC: ReadonlySet<number> = new Set([0x6a, 0x6b, 0x6c, 0x7c, 0x7d, 0x7e]);
// The index operands of struct.new, struct.new_default, array.new, array.new_default, array.new_fixed,
// any.convert_extern, extern.convert_any, ref.i31.
const GC_OPERAND_COUNTS: ReadonlyMap<number, number> = new Map([
  [0, 1],
  [1, 1],
  [6, 1],
  [7, 1],
  [8, 2],
  [26, 0],
  [27, 0],
  [28, 0],
]);

/** What a constant expression is made of. */
export interface ConstantFacts {
  /** Elements of the arrays and fields of the structs that it makes; Infinity where a length is not written down. */
  readonly objectFields: number;
  /** Whether it computes (extended constant expressions proposal). */
  readonly isExtended: boolean;
  /** Whether it makes structs or arrays. */
  readonly makesObjects: boolean;
}

/**
 * Passes over a constant expression, its `end` included.
 *
 * @param types by which the fields of structs are counted; without them they are not
 * @throws RuntimeFault `invalid_wasm`
 */
export function skipConstantExpression(reader: ByteReader, types?: TypeTable): ConstantFacts {
  let objectFields = 0;
  let isExtended = false;
  let makesObjects = false;
  for (let previous = reader.offset;;) {
    const at = reader.offset;
    const opcode = reader.u8();
    if (opcode === END) return { objectFields, isExtended, makesObjects };
    if (!skipOperands(opcode, reader)) throw malformed("an instruction is not constant", at);
    if (opcode === GC_PREFIX) {
      objectFields += objectFieldsAt(at, previous, reader, types);
      makesObjects = true;
    } else if (ARITHMETIC.has(opcode)) isExtended = true;
    previous = at;
  }
}

/** How many elements or fields the object has that the instruction at `at` makes; 0 where it makes none. */
function objectFieldsAt(
  at: number,
  previous: number,
  reader: ByteReader,
  types: TypeTable | undefined,
): number {
  const end = reader.offset;
  reader.moveTo(at + 1);
  let fields = 0;
  switch (reader.u32()) {
    case STRUCT_NEW:
    case STRUCT_NEW_DEFAULT:
      // Its header counts as one.
      fields = 1 + (types?.structFieldCount(reader.u32()) ?? 0);
      break;
    case ARRAY_NEW:
    case ARRAY_NEW_DEFAULT:
      reader.moveTo(previous);
      fields = reader.u8() === I32_CONST ? reader.s33() >>> 0 : Infinity;
      break;
    case ARRAY_NEW_FIXED:
      reader.u32();
      fields = reader.u32();
  }
  reader.moveTo(end);
  return fields;
}

/** Passes over the operands of an opcode; false for an instruction that is not constant. */
function skipOperands(opcode: number, reader: ByteReader): boolean {
  switch (opcode) {
    case I32_CONST:
      reader.skipSigned(32);
      return true;
    case I64_CONST:
      reader.skipSigned(64);
      return true;
    case F32_CONST:
      reader.skip(4);
      return true;
    case F64_CONST:
      reader.skip(8);
      return true;
    case GLOBAL_GET:
    case REF_FUNC:
      reader.u32();
      return true;
    case REF_NULL:
      skipHeapType(reader);
      return true;
    case VECTOR_PREFIX:
      if (reader.u32() !== V128_CONST) return false;
      reader.skip(16);
      return true;
    case GC_PREFIX:
      return skipGcOperands(reader);
    default:
      return ARITHMETIC.has(opcode);
  }
}

function skipGcOperands(reader: ByteReader): boolean {
  const operandCount = GC_OPERAND_COUNTS.get(reader.u32());
  if (operandCount === undefined) return false;
  for (let operand = 0; operand < operandCount; operand++) reader.u32();
  return true;
}
