/**
 * Matrix templates: mma, ldmatrix, stmatrix, movmatrix and wmma.
 *
 * Owns which of them are generated; they need whole warps of which no thread has exited. Sums of floating-point
 * products are added in rising order of k by both sides, and operands are such that products are exact in f32.
 * Invariant: no result shows the layout of a wmma fragment, and no memory the bits of a NaN.
 */

/** `count` holes in braces. */
function holes(hole: string, count: number): string {
  return `{${new Array(count).fill(hole).join(", ")}}`;
}

function names(prefix: string, count: number, type = "b32"): string[] {
  return Array.from({ length: count }, (_, index) => `<t:${type}:${prefix}${index}>`);
}

function integer(shape: string, a: number, b: number, c: number): string {
  return `mma.sync.aligned.${shape}.row.col<|.satfinite>.s32.<s8|u8>.<s8|u8>.s32 ` +
    `${holes("<=b32>", c)}, ${holes("<b32>", a)}, ${holes("<b32>", b)}, ${holes("<b32>", c)}`;
}

/** Small whole numbers as singles, which tf32 and bf16 hold exactly. */
function small(name: string): string {
  return `and.b32 ${name}, <b32>, 127; cvt.rn.f32.s32 <t:f32:w>, ${name}; mov.b32 ${name}, <t:f32:w>`;
}

function smallPair(name: string): string {
  return `and.b32 ${name}, <b32>, 127; cvt.rn.f32.s32 <t:f32:w>, ${name}; neg.f32 <t:f32:v>, <t:f32:w>; ` +
    `cvt.rn.bf16x2.f32 ${name}, <t:f32:v>, <t:f32:w>`;
}

function ofSmall(shape: string, type: string, make: (name: string) => string): string {
  const [a, b] = [names("a", 4), names("b", 2)];
  return `${[...a, ...b].map(make).join("; ")}; mma.sync.aligned.${shape}.row.col.f32.${type}.${type}.f32 ` +
    `${holes("<=f32>", 4)}, {${a.join(", ")}}, {${b.join(", ")}}, ${holes("<f32>", 4)}`;
}

const ROW_ADDRESS = "and.b32 <t:b32:o>, %lane, 7; mad.lo.u32 <t:b32:a>, <t:b32:o>, 16, %exchangeBase";
const WARP_ADDRESS =
  "sub.u32 <t:b32:w>, %linear, %lane; mad.lo.u32 <t:b32:a>, <t:b32:w>, 4, %exchangeBase; " +
  "and.b32 <t:b32:o>, %lane, 7; mad.lo.u32 <t:b32:a>, <t:b32:o>, 16, <t:b32:a>";

function wmma(): string {
  const [a, b, c] = [names("a", 2), names("b", 2), names("c", 8)];
  return `wmma.load.a.sync.aligned.row.m16n16k16.global.s8 {${a.join(", ")}}, [%input], <16|32>; ` +
    `wmma.load.b.sync.aligned.<row|col>.m16n16k16.global.s8 {${b.join(", ")}}, [%input+256], 16; ` +
    `wmma.load.c.sync.aligned.<row|col>.m16n16k16.global.s32 {${c.join(", ")}}, [%input], 16; ` +
    `wmma.mma.sync.aligned.row.col.m16n16k16.s32.s8.s8.s32<|.satfinite> {${c.join(", ")}}, {${
      a.join(", ")
    }}, ` +
    `{${b.join(", ")}}, {${c.join(", ")}}; ` +
    "mul.wide.u32 <t:b64:o>, %lane, 64; sub.s64 <t:b64:o>, %scratch, <t:b64:o>; " +
    `wmma.store.d.sync.aligned.<row|col>.m16n16k16.global.s32 [<t:b64:o>], {${c.join(", ")}}, 16; ` +
    "bar.warp.sync 0xffffffff";
}

export const MATRIX_TEMPLATES: readonly string[] = [
  integer("m16n8k32", 4, 2, 4),
  integer("m16n8k16", 2, 1, 4),
  integer("m8n8k16", 1, 1, 2),
  `mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 ${holes("<=f32>", 4)}, ${holes("<b32>", 4)}, ` +
  `${holes("<b32>", 2)}, ${holes("<f32>", 4)}`,
  `mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 ${holes("<=f32>", 4)}, ${holes("<b32>", 2)}, {<b32>}, ` +
  holes("<f32>", 4),
  ofSmall("m16n8k8", "tf32", small),
  ofSmall("m16n8k16", "bf16", smallPair),
  "mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {<=f64>, <=f64>}, {<f64>}, {<f64>}, {<f64>, <f64>}",
  "movmatrix.sync.aligned.m8n8.trans.b16 <=b32>, <b32>",
  `${ROW_ADDRESS}; bar.sync 0; ldmatrix.sync.aligned.m8n8.x1<|.trans>.shared.b16 {<=b32>}, [<t:b32:a>]; bar.sync 0`,
  `${ROW_ADDRESS}; bar.sync 0; ldmatrix.sync.aligned.m8n8.x4<|.trans>.shared.b16 ${holes("<=b32>", 4)}, ` +
  "[<t:b32:a>]; bar.sync 0",
  `${WARP_ADDRESS}; stmatrix.sync.aligned.m8n8.x1<|.trans>.shared.b16 [<t:b32:a>], {<b32>}; bar.sync 0`,
  wmma(),
];
