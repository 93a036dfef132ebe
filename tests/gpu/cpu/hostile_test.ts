/**
 * Kernels that mean harm, on the CPU device: each ends in the error that a GPU would report, and harms nobody.
 *
 * Owns endless loops, wild and misaligned addresses, deadlocks, traps, and launches that no device could run.
 * Sizes are hostile_size_test.ts's. Invariant: nothing but a GpuError comes out of the device.
 */
import assert from "node:assert/strict";
import { createCpuDevice } from "../../../gpu/cpu/mod.ts";
import type { Pacer } from "../../../gpu/device.ts";
import {
  FREE_PACER,
  HEADER,
  kernelText,
  launchText,
  openContext,
  outcomeOf,
  runBody,
  stoppingPacer,
} from "./device_support.ts";

const device = createCpuDevice();

/** Bodies that never end, by what they do meanwhile, with the threads of the block. */
const ENDLESS: Readonly<Record<string, readonly [body: string, threads?: number]>> = {
  "nothing at all": ["L: bra L;"],
  "nothing, two blocks long": ["L: bra M; M: bra L;"],
  "arithmetic": ["L: add.u32 %r1, %r1, 1; bra L;"],
  "a loop in a loop": [
    "L: mov.u32 %r1, 9; M: sub.u32 %r1, %r1, 1; setp.ne.u32 %p1, %r1, 0; @%p1 bra M; bra L;",
  ],
  "an irreducible loop": [
    "setp.eq.u32 %p1, %me, 0; @%p1 bra M; L: add.u32 %r1, %r1, 1; M: add.u32 %r2, %r2, 1; bra L;",
    2,
  ],
  "a branch by index": ["T: .branchtargets L, M; L: xor.b32 %r1, %r1, 1; M: brx.idx %r1, T;"],
  "one lane of a warp": ["setp.ne.u32 %p1, %me, 7; @%p1 exit; L: add.u32 %r1, %r1, 1; bra L;", 32],
  "lanes at a shuffle while one loops": [
    "setp.eq.u32 %p1, %me, 3; @!%p1 bra S; L: bra L; S: shfl.sync.idx.b32 %r1, %me, 0, 31, -1;",
    32,
  ],
  "shuffles": ["L: shfl.sync.idx.b32 %r1, %me, 0, 31, -1; bra L;", 32],
  "barriers": ["L: bar.sync 0; bra L;", 64],
  "a barrier that one thread never reaches": ["setp.eq.u32 %p1, %me, 0; L: @%p1 bra L; bar.sync 0;", 64],
  "waiting for memory": ["L: ld.volatile.global.u32 %r1, [%memory]; setp.eq.u32 %p1, %r1, 0; @%p1 bra L;"],
  "a lock that is never released": [
    "L: atom.global.cas.b32 %r1, [%memory], 0, 1; setp.ne.u32 %p1, %r1, 0; @%p1 bra L; bra L;",
    2,
  ],
};

for (const [name, [body, threads = 1]] of Object.entries(ENDLESS)) {
  Deno.test(`a kernel that loops without end is ended by the pacer: ${name}`, async () => {
    const pacer = stoppingPacer(20);
    const { status } = await runBody(device, body, { block: { x: threads }, pacer });
    assert.equal(status, 702);
    assert.ok(pacer.used >= 19 * 10_000, `${pacer.used} fuel was used`);
  });
}

Deno.test("a kernel that was ended makes its context useless, and no other", async () => {
  const text = kernelText("L: bra L;");
  using stopped = openContext(device, stoppingPacer(3));
  using other = openContext(device);
  const pointer = stopped.allocate(256);
  assert.equal((await outcomeOf(() => launchText(stopped, text))).status, 702);
  for (
    const call of [
      () => stopped.allocate(256),
      () => stopped.free(pointer),
      () => stopped.synchronize(),
      () => stopped.loadModule(new TextEncoder().encode(text)),
      () => stopped.copyFromDevice(new Uint8Array(4), pointer),
      () => stopped.createStream(),
      () => launchText(stopped, text),
    ]
  ) assert.equal((await outcomeOf(call)).status, 702);
  const memory = new Uint8Array(4);
  const place = other.allocate(256);
  await launchText(other, kernelText("st.global.u32 [%memory], 42;"), { params: [place] });
  await other.copyFromDevice(memory, place);
  assert.deepEqual([...memory], [42, 0, 0, 0]);
});

Deno.test("a launch whose pacer says stop at once is not begun", async () => {
  const { status, memory } = await runBody(device, "st.global.u32 [%memory], 1;", {
    pacer: stoppingPacer(0),
  });
  assert.deepEqual([status, memory[0]], [702, 0]);
});

Deno.test("a pacer that answers with promises interleaves kernels of two contexts on one thread", async () => {
  const order: string[] = [];
  const turns = (name: string): Pacer => ({
    ...FREE_PACER,
    tick: () => {
      order.push(name);
      return new Promise((resolve) => setTimeout(() => resolve(5_000), 0));
    },
  });
  const body = `L: add.u32 %r1, %r1, 1; setp.lt.u32 %p1, %r1, 8000; @%p1 bra L;
    shfl.sync.idx.b32 %r2, %r1, 0, 31, -1; mad.wide.u32 %own, %me, 4, %memory; st.global.u32 [%own], %r2;`;
  const runs = await Promise.all(
    ["a", "b"].map((name) => runBody(device, body, { block: { x: 32 }, pacer: turns(name) })),
  );
  for (const { status, memory } of runs) {
    assert.equal(status, 0);
    assert.deepEqual([...new Uint32Array(memory.buffer, 0, 32)], Array(32).fill(8000));
  }
  const changes = order.filter((name, index) => index > 0 && name !== order[index - 1]).length;
  assert.ok(changes > order.length / 2, order.join(""));
});

Deno.test("a kernel that is suspended goes on with what it was granted, and its fuel is booked", async () => {
  let booked = 0;
  const pacer: Pacer = {
    ...FREE_PACER,
    tick: (fuel) => (booked += fuel, Promise.resolve(1_000)),
    charge: (fuel) => void (booked += fuel),
  };
  const body = "L: add.u32 %r1, %r1, 1; setp.lt.u32 %p1, %r1, 50000; @%p1 bra L;";
  assert.equal((await runBody(device, body, { pacer })).status, 0);
  assert.ok(booked >= 100_000 && booked < 1_000_000, `${booked}`);
});

Deno.test("any answer of a pacer is taken", async () => {
  for (const fuel of [0, 1, 2 ** 31, 2 ** 40, Infinity, 0.5]) {
    const body =
      "L: add.u32 %r1, %r1, 1; setp.lt.u32 %p1, %r1, 100; @%p1 bra L; st.global.u32 [%memory], %r1;";
    const { status, memory } = await runBody(device, body, { pacer: { ...FREE_PACER, tick: () => fuel } });
    assert.deepEqual([status, memory[0]], [0, 100], `${fuel}`);
  }
});

/** Addresses at which there is nothing, from the buffer's own, which ends 4096 bytes behind its start. */
const WILD: Readonly<Record<string, string>> = {
  "null": "mov.u64 %d1, 0;",
  "negative": "mov.u64 %d1, -64;",
  "2^63": "mov.u64 %d1, 0x8000000000000000;",
  "below the device's memory": "mov.u64 %d1, 0x3fffff00;",
  "2^40": "mov.u64 %d1, 0x10000000000;",
  "beyond all memory": "add.u64 %d1, %memory, 0x40000000;",
  "before the buffer by far": "sub.u64 %d1, %memory, 0x40000000;",
};

/** Accesses of every kind through `%d1`. */
const ACCESSES: readonly string[] = [
  "ld.global.u8 %r1, [%d1];",
  "ld.u32 %r1, [%d1];",
  "ld.global.nc.v4.u32 {%r1, %r2, %r3, %r4}, [%d1];",
  "ld.const.u64 %d2, [%d1];",
  "st.global.u16 [%d1], %h1;",
  "st.v2.u64 [%d1], {%d2, %d3};",
  "st.global.f64 [%d1+16], %g1;",
  "atom.global.add.u32 %r1, [%d1], 1;",
  "atom.cas.b64 %d2, [%d1], 1, 2;",
  "red.global.max.s32 [%d1], 1;",
  "atom.global.add.f32 %f1, [%d1], 0f3F800000;",
  ".shared .align 16 .b8 s[64]; mov.u32 %r1, s; cp.async.cg.shared.global [%r1], [%d1], 16;",
];

for (const [name, setting] of Object.entries(WILD)) {
  Deno.test(`an address that is ${name} is error 700, however it is accessed`, async () => {
    for (const access of ACCESSES) {
      const { status } = await runBody(device, `${setting} ${access} st.global.u32 [%memory], %r1;`);
      assert.equal(status, 700, access);
    }
  });
}

Deno.test("an offset of any size is part of the address", async () => {
  for (
    const access of [
      "ld.global.u32 %r1, [%memory+0x7ffffffffffffffc];",
      "ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%memory+0xffffffffbffffff0];",
      "ld.global.u32 %r1, [%memory+-0x40001000];",
      "ld.global.u32 %r1, [v+0x7ffffffffffffffc];",
      "ld.global.u32 %r1, [v+-0x40000000];",
      "ld.global.u32 %r1, [0xfffffffffffffffc];",
      "ld.param.u32 %r1, [memory+0x100000000];",
      "ld.shared.u32 %r1, [s+0xfffffffc];",
      "ld.shared.u32 %r1, [s+0x7ffffffffffffffc];",
      "st.local.u32 [l+0x100000000], 1;",
      "ld.local.u32 %r1, [l+-4];",
    ]
  ) {
    const body = `.local .align 4 .b8 l[16]; ${access} st.global.u32 [%memory], %r1;`;
    const { status } = await runBody(device, body, {
      module: ".global .align 4 .b8 v[16]; .shared .align 4 .b8 s[16];",
    });
    assert.equal(status, 700, access);
  }
  const body = "ld.global.u32 %r1, [%memory+-8]; ld.global.u32 %r1, [%d1+0xfffffffffffffff8];";
  const { status } = await runBody(device, `add.u64 %memory, %memory, 8; mov.u64 %d1, %memory; ${body}`);
  assert.equal(status, 0);
});

Deno.test("the windows of shared and local memory end where they end", async () => {
  const windows = ".shared .align 8 .b8 s[64]; .local .align 8 .b8 l[64];";
  for (const [space, name] of [["shared", "s"], ["local", "l"]] as const) {
    for (
      const [offset, bytes, wanted] of [
        [60, "u32", 0],
        [64, "u32", 700],
        [-4, "u32", 700],
        [56, "u64", 0],
        [60, "v2.u16", 0],
        [64, "v4.u16", 700],
        [1 << 30, "u32", 700],
      ] as const
    ) {
      const value = bytes === "u64"
        ? "%d2"
        : bytes.startsWith("v4")
        ? "{%h1, %h2, %h3, %h4}"
        : bytes.startsWith("v2")
        ? "{%h1, %h2}"
        : "%r2";
      for (
        const body of [
          `${windows} mov.u32 %r1, ${name}; add.u32 %r1, %r1, ${offset}; st.${space}.${bytes} [%r1], ${value};`,
          `${windows} mov.u32 %r1, ${name}; ld.global.u32 %r3, [%memory]; add.u32 %r1, %r1, %r3; ld.${space}.${bytes} ${value}, [%r1+${offset}];`,
          `${windows} st.${space}.${bytes} [${name}+${offset}], ${value};`,
        ]
      ) {
        assert.equal((await runBody(device, body)).status, wanted, body);
      }
    }
  }
});

Deno.test("dynamic shared memory ends where the launch says", async () => {
  const module = ".extern .shared .align 8 .b8 s[];";
  for (
    const [sharedBytes, offset, wanted] of [[0, 0, 700], [2, 0, 700], [4, 0, 0], [64, 60, 0], [64, 64, 700]]
  ) {
    for (
      const body of [
        `st.shared.u32 [s+${offset}], %me;`,
        `mov.u32 %r1, s; add.u32 %r1, %r1, ${offset}; atom.shared.add.u32 %r2, [%r1], 1;`,
      ]
    ) {
      const { status } = await runBody(device, body, { module, sharedBytes: sharedBytes ?? 0 });
      assert.equal(status, wanted, `${sharedBytes} bytes: ${body}`);
    }
  }
});

Deno.test("an address that is no multiple of what is accessed is error 716", async () => {
  for (
    const [access, offset] of [
      ["ld.global.u16 %h1, [%d1];", 1],
      ["ld.u32 %r1, [%d1];", 2],
      ["st.global.u64 [%d1], %d2;", 4],
      ["ld.global.v2.u32 {%r1, %r2}, [%d1];", 4],
      ["st.global.v4.u32 [%d1], {%r1, %r2, %r3, %r4};", 8],
      ["ld.global.v4.u16 {%h1, %h2, %h3, %h4}, [%d1];", 2],
      ["atom.global.add.u32 %r1, [%d1];".replace("]", "], 1"), 2],
      ["red.global.add.u64 [%d1], 1;", 4],
      ["atom.cas.b32 %r1, [%d1], 1, 2;", 1],
      ["ld.volatile.global.u32 %r1, [%d1];", 1],
    ] as const
  ) {
    for (
      const sum of [
        `add.u64 %d1, %memory, ${offset};`,
        `cvt.u64.u32 %d3, %me; add.u64 %d1, %memory, %d3; add.u64 %d1, %d1, ${offset};`,
      ]
    ) {
      const { status } = await runBody(device, `${sum} ${access} st.global.u32 [%memory], %r1;`);
      assert.equal(status, 716, access);
    }
  }
});

Deno.test("parameters that are no multiples of 16 are compiled for, and checked", async () => {
  for (
    const [offset, bytes, wanted] of [[4, 4, 0], [1, 1, 0], [2, 4, 716], [1, 2, 716], [4, 8, 716], [
      8,
      16,
      716,
    ], [24, 8, 0]]
  ) {
    using context = openContext(device);
    const pointer = context.allocate(4096);
    const access = {
      1: "ld.global.u8 %r1, [%memory];",
      2: "ld.global.u16 %h1, [%memory];",
      4: "atom.global.add.u32 %r1, [%memory], 1;",
      8: "st.global.u64 [%memory], %d1;",
      16: "ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%memory];",
    }[bytes ?? 1];
    // The aligned variant is compiled first, and must not be used for the other.
    const text = kernelText(access ?? "");
    await launchText(context, text, { params: [pointer] });
    const outcome = await outcomeOf(() =>
      launchText(context, text, { params: [pointer + BigInt(offset ?? 0)] })
    );
    assert.equal(outcome.status, wanted, `${bytes} bytes at ${offset}`);
  }
});

Deno.test("an address in a structure that is passed by value may be misaligned", async () => {
  using context = openContext(device);
  const pointer = context.allocate(256);
  const text = `${HEADER}.visible .entry k(.param .align 8 .b8 s[16]) { .reg .b64 %d<4>;
    ld.param.u64 %d1, [s]; ld.param.u64 %d2, [s+8]; st.global.u64 [%d2], %d1; ret; }`;
  const params = [0n, pointer];
  await launchText(context, text, { params });
  assert.equal(
    (await outcomeOf(() => launchText(context, text, { params: [0n, pointer + 4n] }))).status,
    716,
  );
});

Deno.test("trap is error 719 with its line, and exit before it is none", async () => {
  const { status, text } = await runBody(device, "setp.eq.u32 %p1, %me, 5; @%p1 trap;", { block: { x: 8 } });
  assert.equal(status, 719);
  assert.match(text, /line 9/);
  assert.equal((await runBody(device, "ret; trap;")).status, 0);
});

Deno.test("a failed assertion is error 710", async () => {
  const module =
    ".extern .func __assertfail (.param .b64 a, .param .b64 b, .param .b32 c, .param .b64 d, .param .b64 e);";
  const body = `{ .param .b64 a; .param .b64 b; .param .b32 c; .param .b64 d; .param .b64 e;
    call.uni __assertfail, (a, b, c, d, e); }`;
  const { status, text } = await runBody(device, body, { module });
  assert.equal(status, 710);
  assert.match(text, /assertion/);
});

Deno.test("threads that wait for each other in vain are error 719", async () => {
  const cases: Readonly<Record<string, string>> = {
    "two named barriers":
      "setp.lt.u32 %p1, %me, 32; @%p1 bra A; bar.sync 1, 64; bra E; A: bar.sync 2, 64; E:",
    "two barriers in a warp":
      "and.b32 %r1, %me, 1; setp.eq.u32 %p1, %r1, 0; @%p1 bra A; bar.sync 0; bra E; A: bar.sync 0; E:",
    "a count that is never reached": "bar.sync 1, 128;",
    "arrivals without an end": "bar.arrive 1, 96; bar.sync 2, 96;",
  };
  for (const [name, body] of Object.entries(cases)) {
    const { status } = await runBody(device, body, { block: { x: 64 }, pacer: stoppingPacer(1000) });
    assert.equal(status, 719, name);
  }
});

Deno.test("a barrier's number from a register that does not exist is error 719", async () => {
  assert.equal((await runBody(device, "mov.u32 %r1, 16; bar.sync %r1;", { block: { x: 64 } })).status, 719);
});

Deno.test("the largest grid there is ends when the pacer says so", async () => {
  const grid = { x: 2 ** 31 - 1, y: 65_535, z: 65_535 };
  for (const body of ["", "bar.sync 0;", "st.global.u32 [%memory], %r1;"]) {
    const pacer = stoppingPacer(30);
    assert.equal((await runBody(device, body, { grid, block: { x: 64 }, pacer })).status, 702, body);
  }
});

Deno.test("launches that no device takes are refused with what is allowed and what was asked", async () => {
  using context = openContext(device);
  const text = kernelText(".shared .b8 s[1024];");
  for (
    const [launch, ...numbers] of [
      [{ grid: { x: 0 } }, 2147483647, 0],
      [{ grid: { x: 2 ** 31 } }, 2147483647, 2147483648],
      [{ grid: { y: 65_536 } }, 65535, 65536],
      [{ grid: { z: 1.5 } }, 65535, 1.5],
      [{ block: { x: 1025 } }, 1024, 1025],
      [{ block: { z: 65 } }, 64, 65],
      [{ block: { x: NaN } }, 1024, NaN],
      [{ block: { x: 33, y: 32 } }, 1024, 1056],
      [{ sharedBytes: 232_449 }, 232448, 232449],
      [{ sharedBytes: -1 }, 232448, -1],
      [{ params: [] }, 8, 0],
      [{ params: new Uint8Array(9) }, 8, 9],
    ] as const
  ) {
    const outcome = await outcomeOf(() => launchText(context, text, launch));
    assert.equal(outcome.name, "CUDA_ERROR_INVALID_VALUE", JSON.stringify(launch));
    for (const number of numbers) assert.ok(outcome.text.includes(String(number)), outcome.text);
  }
  // None of it poisons the context.
  await launchText(context, text);
});

Deno.test("recursion is refused or ends, and never hangs", async () => {
  const entry = (body: string): string =>
    `.visible .entry k(.param .u64 m) { .reg .b64 %d<4>; ${body} ret; }`;
  const pointer = (name: string): string =>
    `.func ${name}(.param .b64 a) { .reg .b64 %d<4>; .param .b64 x; ld.param.u64 %d1, [a]; st.param.b64 [x], %d1;
     call %d1, (x), P; ret; P: .callprototype _ (.param .b64 a); }`;
  const cases: Readonly<Record<string, string>> = {
    "direct": `.func f() { call f, (); ret; } ${entry("call f, ();")}`,
    "mutual": `.func g(); .func f() { call g, (); ret; } .func g() { call f, (); ret; } ${
      entry("call f, ();")
    }`,
    "through a pointer": `${pointer("f")} ${
      entry(".param .b64 x; mov.u64 %d1, f; st.param.b64 [x], %d1; call f, (x);")
    }`,
    "through pointers to each other": `${pointer("f")} ${pointer("g")} ${
      entry(".param .b64 x; mov.u64 %d1, f; mov.u64 %d2, g; st.param.b64 [x], %d2; call f, (x);")
    }`,
  };
  for (const [name, text] of Object.entries(cases)) {
    using context = openContext(device, stoppingPacer(100, 100_000));
    const { status } = await outcomeOf(() => launchText(context, HEADER + text));
    assert.ok([218, 719, 702, 700].includes(status), `${name}: ${status}`);
  }
});

Deno.test("a kernel may write over everything in its own context's memory, and that is all it does", async () => {
  using victim = openContext(device);
  const place = victim.allocate(1024);
  victim.copyToDevice(place, new Uint8Array(1024).fill(7));
  const values = ["0", "-1", "0x20000001", "0x7fffffff"];
  for (const value of values) {
    const body = `mov.u64 %d1, 0x40000000; cvt.u64.u32 %d2, %me; mad.lo.u64 %d1, %d2, 4, %d1;
      L: st.global.u32 [%d1], ${value}; add.u64 %d1, %d1, 256; bar.sync 0; shfl.sync.idx.b32 %r1, %me, 0, 31, -1; bra L;`;
    const { status } = await runBody(device, body, { block: { x: 64 }, pacer: stoppingPacer(300, 100_000) });
    assert.ok([700, 702, 719].includes(status), `${value}: ${status}`);
  }
  const memory = new Uint8Array(1024);
  victim.copyFromDevice(memory, place);
  assert.deepEqual(memory, new Uint8Array(1024).fill(7));
});
