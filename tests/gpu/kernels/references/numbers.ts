/**
 * References of numbers.cu: generators and digests.
 *
 * Owns them on BigInt, or the platform's own where it has one (SHA-256). Invariant: exact.
 */
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { at, blocksFor, buffer, CaseTable, exactly, i32, type KernelCase, u32, u64 } from "./kernel_case.ts";

const mask64 = (value: bigint): bigint => BigInt.asUintN(64, value);

function xorshift(state: number, rounds: number): [state: number, sum: number] {
  let [x, sum] = [state, 0];
  for (let round = 0; round < rounds; round++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    sum = (sum + (x >>> 9)) >>> 0;
  }
  return [x >>> 0, sum];
}

function splitmix(seed: bigint): bigint {
  let z = mask64(seed + 0x9e3779b97f4a7c15n);
  z = mask64((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
  z = mask64((z ^ (z >> 27n)) * 0x94d049bb133111ebn);
  return z ^ (z >> 31n);
}

function philox(counter: number, keys: readonly [number, number]): number[] {
  let [c0, c1, c2, c3] = [BigInt(counter), 0n, 0n, 0n];
  let [key0, key1] = keys.map(BigInt);
  for (let round = 0; round < 10; round++) {
    const [first, second] = [0xd2511f53n * c0, 0xcd9e8d57n * c2];
    const low = 0xffffffffn;
    [c0, c1, c2, c3] = [
      (second >> 32n) ^ c1 ^ (key0 ?? 0n),
      second & low,
      (first >> 32n) ^ c3 ^ (key1 ?? 0n),
      first & low,
    ];
    key0 = ((key0 ?? 0n) + 0x9e3779b9n) & low;
    key1 = ((key1 ?? 0n) + 0xbb67ae85n) & low;
  }
  return [c0, c1, c2, c3].map(Number);
}

function pointsInside(threads: number, points: number, seed: number): number {
  let count = 0;
  for (let thread = 0; thread < threads; thread++) {
    let x = (seed + Math.imul(thread, 2654435761)) >>> 0;
    const next = (): number => {
      x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
      return x >>> 16;
    };
    for (let i = 0; i < points; i++) {
      const [px, py] = [next(), next()];
      if (px * px + py * py < 2 ** 32) count++;
    }
  }
  return count;
}

function fnv64(bytes: Uint8Array): bigint {
  return bytes.reduce((hash, byte) => mask64((hash ^ BigInt(byte)) * 0x100000001b3n), 0xcbf29ce484222325n);
}

function modPower(base: bigint, exponent: number, modulus: bigint): bigint {
  let [result, square] = [1n % modulus, base % modulus];
  for (let e = exponent; e !== 0; e >>>= 1) {
    if (e & 1) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
}

export function numbersCases(ptx: string): KernelCase[] {
  const table = new CaseTable(ptx);
  for (const [n, block] of [[1, 1], [150, 64], [0, 32]] as const) {
    const [grid, shape] = [blocksFor(n, block), `n=${n} block=${block}`];
    table.add("xorshift", shape, (random) => {
      const [states, to] = [random.u32s(n), random.u32s(n)];
      const results = Array.from(states, (state) => xorshift(state, 50));
      return {
        grid,
        block,
        args: [buffer(states), buffer(to), i32(n), i32(50)],
        expected: () => [
          exactly(states, Uint32Array.from(results, ([state]) => state)),
          exactly(to, Uint32Array.from(results, ([, sum]) => sum)),
        ],
      };
    });
    table.add("splitmix", shape, (random) => {
      const [seeds, to] = [random.u64s(n), random.u64s(n)];
      return {
        grid,
        block,
        args: [buffer(seeds), buffer(to), i32(n)],
        expected: () => [exactly(to, seeds.map(splitmix))],
      };
    });
    table.add("philox", shape, (random) => {
      const [to, keys] = [random.u32s(4 * n), [random.u32(), random.u32()] as const];
      return {
        grid,
        block,
        args: [buffer(to), i32(n), u32(keys[0]), u32(keys[1])],
        expected: () => [
          exactly(to, Uint32Array.from(Array.from({ length: n }, (_, i) => philox(i, keys)).flat())),
        ],
      };
    });
    for (const length of [0, 13, 55]) {
      table.add("sha256", `${shape} length=${length}`, (random) => {
        const [messages, to] = [random.u8s(n * length), random.u8s(32 * n)];
        const digest = (i: number): number[] => [
          ...createHash("sha256").update(messages.subarray(i * length, (i + 1) * length)).digest(),
        ];
        return {
          grid,
          block,
          args: [buffer(messages), buffer(to), i32(n), i32(length)],
          expected: () => [exactly(
            to,
            Uint8Array.from(Array.from({ length: n }, (_, i) => digest(i)).flat()),
          )],
        };
      });
    }
    table.add("crc32", shape, (random) => {
      const [messages, to] = [random.u8s(40 * n), random.u32s(n)];
      return {
        grid,
        block,
        args: [buffer(messages), buffer(to), i32(n), i32(40)],
        expected: () => [exactly(to, to.map((_, i) => crc32(messages.slice(40 * i, 40 * i + 40))))],
      };
    });
    table.add("fnv64", shape, (random) => {
      const [messages, to] = [random.u8s(21 * n), random.u64s(n)];
      return {
        grid,
        block,
        args: [buffer(messages), buffer(to), i32(n), i32(21)],
        expected: () => [exactly(to, to.map((_, i) => fnv64(messages.subarray(21 * i, 21 * i + 21))))],
      };
    });
    table.add("mod_power", shape, (random) => {
      const [bases, exponents, to] = [random.u64s(n), random.u32s(n, 1000), random.u64s(n)];
      const modulus = 2n ** 64n - 59n;
      return {
        grid,
        block,
        args: [buffer(bases), buffer(exponents), buffer(to), i32(n), u64(modulus)],
        expected: () => [exactly(to, bases.map((base, i) => modPower(base, at(exponents, i), modulus)))],
      };
    });
  }
  for (const [grid, block, points] of [[1, 32, 1], [4, 64, 100]] as const) {
    table.add("monte_carlo", `grid=${grid} block=${block} points=${points}`, () => {
      const inside = BigUint64Array.of(5n);
      return {
        grid,
        block,
        args: [buffer(inside), i32(points), u32(4321)],
        expected:
          () => [exactly(inside, BigUint64Array.of(5n + BigInt(pointsInside(grid * block, points, 4321))))],
      };
    });
  }
  return table.cases;
}
