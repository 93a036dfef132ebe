// @ts-nocheck This is AssemblyScript: its types and decorators are not those of TypeScript.
// deno-fmt-ignore-file
// deno-lint-ignore-file
/**
 * bench_assembly: AssemblyScript with its incremental collector: words are cut out of a text, counted in a Map of
 * strings, and shapes of two classes are summed through a virtual method; n times.
 * `run(n)` returns a checksum.
 */


abstract class Shape {
  abstract area(): f64;
}

class Circle extends Shape {
  constructor(private radius: f64) {
    super();
  }
  area(): f64 {
    return this.radius * this.radius * 3.141592653589793;
  }
}

class Rectangle extends Shape {
  constructor(private width: f64, private height: f64) {
    super();
  }
  area(): f64 {
    return this.width * this.height;
  }
}

const TEXT = "the quick brown fox jumps over the lazy dog while the other dog sleeps under the brown tree";

function countWords(): i32 {
  const counts = new Map<string, i32>();
  const words = TEXT.split(" ");
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    counts.set(word, counts.has(word) ? counts.get(word) + 1 : 1);
  }
  const keys = counts.keys();
  let sum = 0;
  for (let i = 0; i < keys.length; i++) sum = sum * 31 + counts.get(keys[i]) * keys[i].charCodeAt(0);
  return sum;
}

function sumAreas(count: i32): f64 {
  const shapes = new Array<Shape>();
  for (let i = 0; i < count; i++) {
    shapes.push(i % 3 == 0 ? new Circle(<f64> i) : new Rectangle(<f64> i, 2));
  }
  let sum: f64 = 0;
  for (let i = 0; i < count; i++) sum += shapes[i].area();
  return sum;
}

export function run(rounds: i32): i32 {
  let sum = 0;
  for (let round = 0; round < rounds; round++) {
    sum = sum * 31 + countWords();
    sum += <i32> sumAreas(50 + round % 10);
  }
  return sum;
}
