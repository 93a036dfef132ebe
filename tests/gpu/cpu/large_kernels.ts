/**
 * Kernels that are too large in one way each: what a text of a few megabytes can ask of a compiler.
 *
 * Owns the texts, by a scale: 1 is what the device is to bear in seconds. How they end is the tests'. Invariant:
 * every text parses; each is refused with a limit, or compiles and runs.
 */
import { HEADER, kernelText } from "./device_support.ts";

function lines(count: number, line: (index: number) => string): string {
  return Array.from({ length: Math.max(1, Math.round(count)) }, (_, index) => line(index)).join("\n");
}

function entry(body: string): string {
  return `.visible .entry k(.param .u64 memory) { .reg .b32 %r<4>; .reg .b64 %d<40>; ${body} ret; }`;
}

/** Functions of which each calls the one before it so many times. */
function pyramid(levels: number, calls: number): string {
  const body = (level: number): string => `call f${level - 1}, ();`.repeat(calls);
  const functions = lines(
    levels,
    (level) =>
      `.func f${level}() { .reg .b32 %r<3>; ${level === 0 ? "add.u32 %r1, %r1, 1;" : body(level)} ret; }`,
  );
  return `${HEADER}${functions}${entry(`call f${Math.round(levels) - 1}, ();`)}`;
}

/** Functions that call whatever they are told, with the addresses of all of them taken. */
function callsByAddress(count: number): string {
  const prototype = "P: .callprototype _ ();";
  const functions = lines(
    count,
    (i) => `.func f${i}() { .reg .b64 %d<3>; call %d1, (), P; ret; ${prototype} }`,
  );
  return `${HEADER}${functions}${
    entry(`${lines(count, (i) => `mov.u64 %d1, f${i};`)} call %d1, (), P; ${prototype}`)
  }`;
}

const guardedBy = (index: number): string => `setp.eq.u32 %p1, %r1, ${index + 1}; @%p1`;

/** Texts by what there is too much of. */
export const LARGE_KERNELS: Readonly<Record<string, (scale: number) => string>> = {
  "lines of arithmetic": (scale) =>
    kernelText(lines(100_000 * scale, (i) => `add.u32 %r${i % 40}, %r${(i * 7) % 40}, ${i};`)),
  "stores": (scale) =>
    kernelText(lines(100_000 * scale, (i) => `st.global.u32 [%memory+${i % 64 * 4}], %me;`)),
  "guarded instructions": (scale) =>
    kernelText(lines(100_000 * scale, (i) => `@%p${i % 10} add.u32 %r${i % 40}, %r${(i * 7) % 40}, ${i};`)),
  "long instructions": (scale) =>
    kernelText(
      lines(
        40_000 * scale,
        () => "div.u32 %r1, %r2, %r3; div.rn.f64 %g1, %g2, %g1; sin.approx.f32 %f1, %f1;",
      ),
    ),
  "blocks that jump ahead": (scale) => {
    const count = Math.round(20_000 * scale);
    return kernelText(
      lines(count, (i) => {
        const to = (i * 7919) % count;
        return `L${i}: setp.eq.u32 %p1, %me, ${i}; @%p1 bra L${
          to > i ? to : count - 1
        }; add.u32 %r1, %r1, 1;`;
      }),
    );
  },
  "blocks that jump anywhere": (scale) => {
    const count = Math.round(20_000 * scale);
    return kernelText(
      lines(count, (i) => `L${i}: ${guardedBy(i)} bra L${(i * 7919) % count}; add.u32 %r1, %r1, 1;`),
    );
  },
  "ways into loops": (scale) =>
    kernelText(
      lines(3_000 * scale, (i) =>
        `setp.gt.u32 %p1, %me, ${i}; @%p1 bra B${i}; A${i}: add.u32 %r1, %r1, 1; B${i}: add.u32 %r2, %r2, 1;
         setp.lt.u32 %p2, %r1, 4; @%p2 bra A${i};`),
    ),
  "ifs in a row": (scale) =>
    kernelText(
      lines(5_000 * scale, (i) =>
        `setp.gt.u32 %p1, %me, ${i}; @%p1 bra A${i}; add.u32 %r1, %r1, 1; bra B${i};
         A${i}: add.u32 %r1, %r1, 2; B${i}:`),
    ),
  "ifs in ifs": (scale) => {
    const count = Math.round(10_000 * scale);
    return kernelText(
      lines(count, (i) => `${guardedBy(i)} bra E${i};`) + "add.u32 %r1, %r1, 1;" +
        lines(count, (i) => `E${count - 1 - i}: add.u32 %r2, %r2, 1;`),
    );
  },
  "loops in loops": (scale) => {
    const count = Math.round(10_000 * scale);
    return kernelText(
      lines(count, (i) => `H${i}: add.u32 %r1, %r1, 1;`) +
        lines(count, (i) => `setp.eq.u32 %p1, %r1, ${i}; @%p1 bra H${count - 1 - i};`),
    );
  },
  "registers one after the other": (scale) => {
    const count = Math.round(100_000 * scale);
    return kernelText(
      `.reg .b32 %q<${count}>;` + lines(count - 1, (i) => `add.u32 %q${i + 1}, %q${i}, 1;`) +
        `st.global.u32 [%memory], %q${count - 1};`,
    );
  },
  "registers at a time": (scale) => {
    const count = Math.round(50_000 * scale);
    return kernelText(
      `.reg .b32 %q<${count}>;` + lines(count, (i) => `ld.global.u32 %q${i}, [%memory+${i % 256 * 4}];`) +
        lines(count, (i) => `st.global.u32 [%memory+${i % 256 * 4}], %q${i};`),
    );
  },
  "registers across a barrier": (scale) => {
    const count = Math.round(50_000 * scale);
    return kernelText(
      `.reg .b32 %q<${count}>;` + lines(count, (i) => `ld.global.u32 %q${i}, [%memory+${i % 256 * 4}];`) +
        "bar.sync 0;" + lines(count, (i) => `st.global.u32 [%memory+${i % 256 * 4}], %q${i};`),
    );
  },
  "registers that nobody wrote": (scale) => {
    const count = Math.round(50_000 * scale);
    return kernelText(`.reg .b32 %q<${count}>;` + lines(count, (i) => `st.global.u32 [%memory], %q${i};`));
  },
  "guarded exits": (scale) => kernelText(lines(100_000 * scale, (i) => `${guardedBy(i)} exit;`)),
  "barriers": (scale) => kernelText(lines(5_000 * scale, (i) => `bar.sync ${i % 16}; add.u32 %r1, %r1, 1;`)),
  "barriers in a loop": (scale) =>
    kernelText(
      `L: ${lines(5_000 * scale, (i) => `bar.sync 0; ${guardedBy(i)} bra M${i}; add.u32 %r2, %r2, 1; M${i}:`)}
       add.u32 %r1, %r1, 1; setp.lt.u32 %p1, %r1, 5; @%p1 bra L;`,
    ),
  "guarded barriers": (scale) =>
    kernelText(lines(2_000 * scale, (i) => `${guardedBy(i)} bar.sync 0; add.u32 %r2, %r2, 1;`)),
  "shuffles": (scale) => kernelText(lines(5_000 * scale, () => "shfl.sync.bfly.b32 %r1, %r1, 1, 31, -1;")),
  "targets of a branch": (scale) => {
    const names = Array.from({ length: Math.round(100_000 * scale) }, (_, i) => `L${i % 3}`).join(", ");
    return kernelText(`T: .branchtargets ${names}; brx.idx %me, T; L0: add.u32 %r1, %r1, 1; L1: L2:`);
  },
  "different targets of a branch": (scale) => {
    const count = Math.round(20_000 * scale);
    const names = Array.from({ length: count }, (_, i) => `L${i}`).join(", ");
    return kernelText(
      `T: .branchtargets ${names}; brx.idx %me, T; ${lines(count, (i) => `L${i}: add.u32 %r1, %r1, ${i};`)}`,
    );
  },
  "branches of many targets": (scale) => {
    const count = Math.round(400 * scale);
    const names = Array.from({ length: count }, (_, i) => `L${i}`).join(", ");
    return kernelText(
      `T: .branchtargets ${names}; ${lines(count, (i) => `L${i}: add.u32 %r1, %r1, ${i}; brx.idx %r1, T;`)}`,
    );
  },
  "calls of calls": () => pyramid(40, 2),
  "calls of a function": (scale) => pyramid(2, 50_000 * scale),
  "calls in calls": (scale) => pyramid(300 + 10_000 * scale, 1),
  "calls by address": (scale) => callsByAddress(4 + 20 * scale),
};
