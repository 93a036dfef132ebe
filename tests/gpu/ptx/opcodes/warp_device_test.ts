/**
 * Warp operations, barriers and tensor core instructions in kernels: whole and ragged warps, lanes that went
 * different ways, teams; compiled and interpreted give the same words.
 */
import assert from "node:assert/strict";
import { kernelOf, runText } from "../run_text.ts";
import { randomElement } from "./matrix_elements.ts";
import type { ElementName } from "./matrix_elements.ts";
import { randomBits } from "./random_bits.ts";

const next = randomBits(53);

function words(count: number): number[] {
  return Array.from({ length: count }, () => Number(next() & 0xffff_ffffn));
}

/** `%r0` is the thread's number, `%r1` its word, which the body may change; it is stored at the end. */
function perThread(body: string, before = ""): string {
  return kernelOf(
    `${before} mov.u32 %r0, %tid.x; mul.wide.u32 %rd1, %r0, 4; add.u64 %rd2, %rd0, %rd1; ld.global.u32 %r1, [%rd2];
    ${body}
    st.global.u32 [%rd2], %r1; ret;`,
  );
}

const SHAPES = [32, 64, 33, 48, 7, 1] as const;

async function checkShapes(body: string, before = ""): Promise<void> {
  for (const threads of SHAPES) {
    const result = await runText(perThread(body, before), { block: { x: threads }, words: words(threads) });
    assert.ok(Array.isArray(result), body);
  }
}

Deno.test("warp operations of whole and ragged warps", async () => {
  await checkShapes("shfl.sync.bfly.b32 %r2, %r1, 1, 31, -1; add.u32 %r1, %r1, %r2;");
  await checkShapes(`shfl.sync.down.b32 %r2|%p1, %r1, 3, 0x1c07, -1; @%p1 xor.b32 %r1, %r2, %r1;`);
  await checkShapes("and.b32 %r3, %r1, 31; shfl.sync.idx.b32 %r1, %r0, %r3, 31, -1;");
  await checkShapes("setp.gt.s32 %p1, %r1, 0; vote.sync.ballot.b32 %r1, %p1, -1;");
  await checkShapes("setp.gt.s32 %p1, %r1, 0; vote.sync.uni.pred %p2, %p1, -1; selp.u32 %r1, 3, 4, %p2;");
  await checkShapes("and.b32 %r1, %r1, 3; match.any.sync.b32 %r1, %r1, -1;");
  await checkShapes("redux.sync.max.s32 %r1, %r1, -1; activemask.b32 %r2; xor.b32 %r1, %r1, %r2;");
  await checkShapes("elect.sync %r2|%p1, -1; selp.u32 %r1, %r2, 77, %p1;");
});

Deno.test("lanes that went different ways meet with those whom they name", async () => {
  await checkShapes(`
    and.b32 %r2, %r0, 1; setp.eq.u32 %p1, %r2, 0; @%p1 bra EVEN;
    shfl.sync.up.b32 %r1, %r1, 2, 0, 0xaaaaaaaa; vote.sync.any.pred %p2, %p1, 0xaaaaaaaa; bra MEET;
  EVEN:
    shfl.sync.bfly.b32 %r1, %r1, 2, 31, 0x55555555; redux.sync.add.u32 %r1, %r1, 0x55555555;
  MEET:
    bar.warp.sync -1; vote.sync.ballot.b32 %r3, %p1, -1; xor.b32 %r1, %r1, %r3;`);
  // Teams of eight, each with its own members, in one instruction.
  await checkShapes(`
    and.b32 %r2, %r0, 24; shl.b32 %r3, 0xff, %r2; redux.sync.add.u32 %r4, %r1, %r3;
    setp.lt.u32 %p1, %r1, %r4; vote.sync.ballot.b32 %r5, %p1, %r3; add.u32 %r1, %r4, %r5;`);
  // Some lanes have ended before.
  await checkShapes(`
    and.b32 %r2, %r0, 3; setp.eq.u32 %p1, %r2, 1; @%p1 ret;
    activemask.b32 %r3; shfl.sync.idx.b32 %r1, %r1, 0, 31, %r3; popc.b32 %r4, %r3; add.u32 %r1, %r1, %r4;`);
});

Deno.test("barriers with counts, arrivals and reductions", async () => {
  await checkShapes("setp.gt.s32 %p1, %r1, 0; bar.red.popc.u32 %r1, 0, %p1;");
  await checkShapes(
    "setp.gt.s32 %p1, %r1, 0; barrier.cta.red.and.pred %p2, 3, !%p1; selp.u32 %r1, 1, 2, %p2;",
  );
  const shared = ".shared .align 4 .b32 cell[64];";
  const body = `
    mov.u32 %r2, cell; and.b32 %r3, %r0, 31; shl.b32 %r4, %r3, 2; add.u32 %r2, %r2, %r4;
    setp.ge.u32 %p1, %r0, 32; @%p1 bra CONSUME;
    st.shared.u32 [%r2], %r1; bar.arrive 1, 64; bra DONE;
  CONSUME:
    bar.sync 1, 64; ld.shared.u32 %r5, [%r2]; add.u32 %r1, %r1, %r5;
  DONE:
    bar.sync 0;`;
  await runText(perThread(body, shared), { block: { x: 64 }, words: words(64) });
});

interface Product {
  readonly text: (d: string, a: string, b: string, c: string) => string;
  readonly types: readonly [a: ElementName, b: ElementName, c: ElementName];
  readonly sizes: readonly [d: number, a: number, b: number, c: number];
}

function mma(shape: string, [d, a, b, c]: readonly string[], sizes: Product["sizes"], before = ""): Product {
  return {
    text: (rd, ra, rb, rc) =>
      `mma.sync.aligned.${shape}.row.col${before}.${d}.${a}.${b}.${c} {${rd}}, {${ra}}, {${rb}}, {${rc}};`,
    types: [a, b, c] as unknown as Product["types"],
    sizes,
  };
}

const PRODUCTS: readonly Product[] = [
  mma("m16n8k16", ["f32", "f16", "f16", "f32"], [4, 4, 2, 4]),
  mma("m16n8k16", ["f16", "f16", "f16", "f16"], [2, 4, 2, 2]),
  mma("m16n8k8", ["f32", "bf16", "bf16", "f32"], [4, 2, 1, 4]),
  mma("m16n8k8", ["f32", "tf32", "tf32", "f32"], [4, 4, 2, 4]),
  mma("m16n8k32", ["s32", "s8", "u8", "s32"], [4, 4, 2, 4], ".satfinite"),
  mma("m16n8k64", ["s32", "u4", "s4", "s32"], [4, 4, 2, 4]),
  mma("m8n8k16", ["s32", "s8", "s8", "s32"], [2, 1, 1, 2]),
  mma("m16n8k32", ["f32", "e4m3", "e5m2", "f32"], [4, 4, 2, 4]),
];

/** A word of random elements without infinities and NaNs. */
function packed(type: ElementName): number {
  const bits = { f16: 16, bf16: 16, s8: 8, u8: 8, s4: 4, u4: 4, e4m3: 8, e5m2: 8 }[type as string] ?? 32;
  let word = 0n;
  for (let at = 0; at < 32; at += bits) word |= randomElement(type, next, false) << BigInt(at);
  return Number(word);
}

Deno.test("mma computes what the interpreter computes", async () => {
  for (const { text, types, sizes } of PRODUCTS) {
    const [d, a, b, c] = sizes;
    const each = a + b + c + d;
    const list = (first: number, count: number): string =>
      Array.from({ length: count }, (_, index) => `%r${first + index}`).join(", ");
    const body = [
      `mov.u32 %r39, %tid.x; mul.wide.u32 %rd1, %r39, ${4 * each}; add.u64 %rd2, %rd0, %rd1;`,
      ...Array.from({ length: a + b + c }, (_, index) => `ld.global.u32 %r${index}, [%rd2+${4 * index}];`),
      text(list(20, d), list(0, a), list(a, b), list(a + b, c)),
      ...Array.from(
        { length: d },
        (_, index) => `st.global.u32 [%rd2+${4 * (a + b + c + index)}], %r${20 + index};`,
      ),
      "ret;",
    ].join("\n");
    const memory = Array.from({ length: 64 }, () => [
      ...Array.from({ length: a }, () => packed(types[0])),
      ...Array.from({ length: b }, () => packed(types[1])),
      ...Array.from({ length: c }, () => packed(types[2])),
      ...Array.from({ length: d }, () => 0),
    ]).flat();
    await runText(kernelOf(body), { block: { x: 64 }, words: memory });
  }
});
