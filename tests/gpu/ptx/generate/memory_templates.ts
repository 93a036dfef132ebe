/**
 * Memory templates: loads, stores and atomics whose results do not depend on the order of threads.
 *
 * Owns the names of the registers with base addresses, and what each piece of memory may be used for. Input,
 * constants and tables are only read; scratch, local memory and the thread's own shared bytes are its alone;
 * each place of the bins has one operation that commutes. Invariant: every index is masked into its piece.
 */

/** Bytes of the pieces, as the templates mask their indices. */
export const INPUT_BYTES = 1040;
export const SCRATCH_BYTES = 64;
export const LOCAL_BYTES = 64;
export const OWN_SHARED_BYTES = 16;
export const TABLE_WORDS = 16;
/** Eight places of 4 bytes, then eight of 8, in four copies. */
export const BIN_BYTES = 96;
export const BIN_COPIES = 4;

/** Registers with addresses: 64 bits, but for `ownShared` and `sharedBins`, which are of 32. */
export const BASES = {
  input: "%input",
  scratch: "%scratch",
  local: "%localArray",
  localGeneric: "%localGeneric",
  ownShared: "%ownShared",
  ownSharedGeneric: "%ownSharedGeneric",
  sharedBins: "%sharedBins",
  globalBins: "%globalBins",
} as const;

/** An index below a power of two, as bytes, added to a base of 64 bits. */
function at(base: string, mask: number): string {
  return `and.b32 <t:b32:i>, <b32>, ${mask}; cvt.u64.u32 <t:b64:a>, <t:b32:i>; add.s64 <t:b64:a>, ${base}, <t:b64:a>`;
}

function at32(base: string, mask: number): string {
  return `and.b32 <t:b32:i>, <b32>, ${mask}; add.u32 <t:b32:a>, ${base}, <t:b32:i>`;
}

const INPUT: readonly string[] = [
  `${at(BASES.input, 1020)}; ld<|.global|.global.nc>.<u32|s32|b32> <=b32>, [<t:b64:a><|+4|+12>]`,
  `${at(BASES.input, 1023)}; ld.global.<u8|s8> <=b32>, [<t:b64:a>]`,
  `${at(BASES.input, 1023)}; ld.global<|.nc>.<u8|s8> <=b16>, [<t:b64:a>]`,
  `${at(BASES.input, 1022)}; ld.global.<u16|s16> <=b32>, [<t:b64:a>]`,
  `${at(BASES.input, 1022)}; ld.global.<u16|s16> <=b16>, [<t:b64:a>+2]`,
  `${at(BASES.input, 1022)}; ld.global.<u16|s16|u8|s8> <=b64>, [<t:b64:a>]`,
  `${at(BASES.input, 1020)}; ld.global.<u32|s32> <=b64>, [<t:b64:a>]`,
  `${at(BASES.input, 1016)}; ld<|.global>.<u64|b64> <=b64>, [<t:b64:a>+8]`,
  `${at(BASES.input, 1020)}; ld.global.f32 <=f32>, [<t:b64:a>]`,
  `${at(BASES.input, 1016)}; ld.global.f64 <=f64>, [<t:b64:a>]`,
  `${at(BASES.input, 1008)}; ld.global.v4.u32 {<=b32>, <=b32>, <=b32>, <=b32>}, [<t:b64:a>+16]`,
  `${at(BASES.input, 1016)}; ld.global<|.nc>.v2.<u32|s32> {<=b32>, <=b32>}, [<t:b64:a>]`,
  `${at(BASES.input, 1008)}; ld.global.v2.u64 {<=b64>, <=b64>}, [<t:b64:a>]`,
  `${at(BASES.input, 1008)}; ld.global.v4.f32 {<=f32>, _, <=f32>, <=f32>}, [<t:b64:a>]`,
  `${at(BASES.input, 1020)}; ld.global.v4.<u8|s8> {<=b32>, <=b32>, <=b32>, <=b32>}, [<t:b64:a>]`,
  `${at(BASES.input, 1020)}; ld.global.v2.<u16|s16> {<=b32>, <=b32>}, [<t:b64:a>]`,
  "ld.global.u32 <=b32>, [%input+<8|64|512>]",
];

const SCRATCH: readonly string[] = [
  "st<|.global>.<u32|b32> [%scratch+<0|4|8|36|60>], <b32>",
  "st.global.<u8|b8> [%scratch+<0|1|2|3|5|38>], <b32>",
  "st.global.<u16|b16> [%scratch+<0|2|6|36>], <b16>",
  "st.global.u64 [%scratch+<0|8|32|56>], <b64>",
  "st.global.v2.u32 [%scratch+<0|8|32>], {<b32>, <b32>}",
  "st.global.v4.u32 [%scratch+<0|16|32>], {<b32>, <b32>, <b32>, <b32>}",
  "ld<|.global>.<u32|s32> <=b32>, [%scratch+<0|4|8|36|60>]",
  "ld.global.<u8|s8> <=b32>, [%scratch+<0|1|2|3|5|38>]",
  "ld.global.<u16|s16> <=b16>, [%scratch+<0|2|6|36>]",
  "ld.global.u64 <=b64>, [%scratch+<0|8|32|56>]",
  "ld.volatile.global.u32 <=b32>, [%scratch+<0|4|32>]",
  `${at(BASES.scratch, 60)}; st.global.u32 [<t:b64:a>], <b32>`,
  `${at(BASES.scratch, 60)}; ld.global.u32 <=b32>, [<t:b64:a>]`,
];

const LOCAL: readonly string[] = [
  `${at(BASES.local, 60)}; st.local.u32 [<t:b64:a>], <b32>`,
  `${at(BASES.local, 60)}; ld.local.<u32|s32> <=b32>, [<t:b64:a>]`,
  `${at(BASES.local, 63)}; st.local.u8 [<t:b64:a>], <b32>`,
  `${at(BASES.local, 63)}; ld.local.<u8|s8> <=b32>, [<t:b64:a>]`,
  `${at(BASES.localGeneric, 56)}; st.u64 [<t:b64:a>], <b64>`,
  `${at(BASES.localGeneric, 56)}; ld.u64 <=b64>, [<t:b64:a>]`,
  `${at(BASES.localGeneric, 48)}; ld.v4.u32 {<=b32>, <=b32>, <=b32>, <=b32>}, [<t:b64:a>]`,
  "st.local.u32 [localArray+<0|16|60>], <b32>",
  "ld.local.u32 <=b32>, [localArray+<0|16|60>]",
  "st.local.v2.u32 [localArray+<0|24>], {<b32>, <b32>}",
];

const OWN_SHARED: readonly string[] = [
  "st.shared.u32 [%ownShared+<0|4|8|12>], <b32>",
  "ld.shared.<u32|s32> <=b32>, [%ownShared+<0|4|8|12>]",
  "st.shared.u64 [%ownShared+<0|8>], <b64>",
  "ld.shared.u64 <=b64>, [%ownShared+<0|8>]",
  "st.shared.u8 [%ownShared+<1|7|10>], <b32>",
  "ld.shared.<u8|s8> <=b32>, [%ownShared+<1|7|10>]",
  "ld.shared.v4.u32 {<=b32>, <=b32>, <=b32>, <=b32>}, [%ownShared]",
  "st.u32 [%ownSharedGeneric+4], <b32>",
  "ld.u32 <=b32>, [%ownSharedGeneric<|+4|+8>]",
  `${at32(BASES.ownShared, 12)}; ld.shared.u32 <=b32>, [<t:b32:a>]`,
  "atom.shared.<add|min|max>.u32 <=b32>, [%ownShared+4], <b32>",
  "atom.shared.exch.b32 <=b32>, [%ownShared+4], <b32>",
  "atom.shared.cas.b32 <=b32>, [%ownShared+8], <b32>, <b32>",
  "atom.<inc|dec>.u32 <=b32>, [%ownSharedGeneric+4], <b32>",
];

const TABLES: readonly string[] = [
  "and.b32 <t:b32:i>, <b32>, 15; mul.wide.u32 <t:b64:o>, <t:b32:i>, 4; mov.u64 <t:b64:a>, constTable; " +
  "add.s64 <t:b64:a>, <t:b64:a>, <t:b64:o>; ld.const.u32 <=b32>, [<t:b64:a>]",
  "and.b32 <t:b32:i>, <b32>, 15; mul.wide.u32 <t:b64:o>, <t:b32:i>, 4; mov.u64 <t:b64:a>, globalTable; " +
  "add.s64 <t:b64:a>, <t:b64:a>, <t:b64:o>; ld.global.s32 <=b32>, [<t:b64:a>]",
  "ld.const.u32 <=b32>, [constTable+<0|4|60>]",
  "ld.global.u32 <=b32>, [globalTable+<0|4|60>]",
  "ld.const.v2.u32 {<=b32>, <=b32>}, [constTable+<0|16>]",
];

/** What each place of the bins takes: operation, then type, at its offset. */
const BIN_OPERATIONS = [
  "add.u32",
  "min.u32",
  "max.u32",
  "and.b32",
  "or.b32",
  "xor.b32",
  "max.s32",
  "inc.u32",
  "add.u64",
  "min.u64",
  "max.u64",
  "and.b64",
  "or.b64",
  "xor.b64",
  "max.s64",
  "min.s64",
];

function binTemplates(space: "shared" | "global", base: string): string[] {
  const address = (offset: number): string =>
    space === "shared"
      ? `and.b32 <t:b32:i>, <b32>, 3; mad.lo.u32 <t:b32:a>, <t:b32:i>, ${BIN_BYTES}, ${base}|[<t:b32:a>+${offset}]`
      : `and.b32 <t:b32:i>, <b32>, 3; mad.wide.u32 <t:b64:a>, <t:b32:i>, ${BIN_BYTES}, ${base}|[<t:b64:a>+${offset}]`;
  return BIN_OPERATIONS.map((operation, index) => {
    const type = operation.endsWith("64") ? "b64" : "b32";
    const offset = index < 8 ? index * 4 : 32 + (index - 8) * 8;
    const [before = "", place = ""] = address(offset).split("|");
    const value = operation.startsWith("inc") ? "100000" : `<${type}>`;
    // The old value is another one in every order of threads, so that nothing may read it.
    const atom = `atom.${space}.${operation} <t:${type}:old>, ${place}, ${value}`;
    return `${before}; ${index % 2 === 0 ? `red.${space}.${operation} ${place}, ${value}` : atom}`;
  });
}

/** A loop around compare-and-swap; it ends when no other thread was in between. */
const SWAP_LOOP =
  "ld.global.u32 <t:b32:o>, [%globalBins+384]; <l:again>:; add.u32 <t:b32:n>, <t:b32:o>, <b32>; " +
  "mov.b32 <t:b32:e>, <t:b32:o>; atom.global.cas.b32 <t:b32:o>, [%globalBins+384], <t:b32:e>, <t:b32:n>; " +
  "setp.ne.u32 <t:pred:p>, <t:b32:o>, <t:b32:e>; @<t:pred:p> bra <l:again>";

/** Bytes of the bins in global memory: the copies, and the place of the swap loop. */
export const GLOBAL_BIN_BYTES = BIN_BYTES * BIN_COPIES + 16;

export const MEMORY_TEMPLATES: readonly (readonly [weight: number, list: readonly string[]])[] = [
  [6, INPUT],
  [4, SCRATCH],
  [3, LOCAL],
  [3, OWN_SHARED],
  [2, TABLES],
  [2, binTemplates("shared", BASES.sharedBins)],
  [2, binTemplates("global", BASES.globalBins)],
  [1, [SWAP_LOOP]],
];
