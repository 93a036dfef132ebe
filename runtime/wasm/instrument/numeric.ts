/**
 * Numeric instructions that appended code consists of (core specification, binary format, "Numeric
 * Instructions"), and the types of their operands.
 *
 * Owns names for opcodes, nothing else.
 */

export const I32 = 0x7f;
export const I64 = 0x7e;

export const I64_CONST = 0x42;
export const I32_EQZ = 0x45;
export const I32_EQ = 0x46;
export const I32_LT_S = 0x48;
export const I32_LT_U = 0x49;
export const I32_GT_U = 0x4b;
export const I64_EQ = 0x51;
export const I64_LT_U = 0x54;
export const I64_GT_U = 0x56;
export const I32_ADD = 0x6a;
export const I32_SUB = 0x6b;
export const I32_OR = 0x72;
export const I32_SHL = 0x74;
export const I32_SHR_U = 0x76;
export const I64_ADD = 0x7c;
export const I64_SUB = 0x7d;
export const I64_SHL = 0x86;
export const I32_WRAP_I64 = 0xa7;
export const I64_EXTEND_I32_U = 0xad;
