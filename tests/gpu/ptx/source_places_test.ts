/** Lines of PTX and the places of the CUDA source that they come from. */
import assert from "node:assert/strict";
import { PLACES_MAX, SourcePlaces } from "../../../gpu/ptx/source_places.ts";
import { parsePtx } from "../../../gpu/ptx/syntax/parser.ts";

const TEXT = `.version 8.3
.target sm_90
.address_size 64
.visible .entry first() {
.loc 1 3 7
ret;
.loc 2 40 1, function_name $L__info, inlined_at 1 5 2
ret;
}
.visible .entry second() {
ret;
}
.func third() {
ret;
.loc 9 1 1
ret;
}
.file 1 "/home/somebody/kernels/first.cu"
.file 2 "/usr/include" "cuda_fp16.hpp"
.file 3 "C:\\\\somebody\\\\x.cu", 1700000000, 99
.section .debug_str { $L__info: .b8 0 }
`;

Deno.test("parsePtx() keeps the places that .loc and .file give lines", () => {
  const { places } = parsePtx(TEXT);
  const found = [4, 5, 6, 7, 8, 9, 11, 14, 16].map((line) => places.placeOf(line));
  const [first, inlined] = ["first.cu:3", "cuda_fp16.hpp:40"];
  // Between functions, in one without .loc, and where a file has no name, there is none.
  assert.deepEqual(found, [
    ...[undefined, first, first, inlined, inlined],
    ...[inlined, undefined, undefined, undefined],
  ]);
});

Deno.test("SourcePlaces names a file without its folder, and short", () => {
  const places = new SourcePlaces();
  for (const [number, name] of ["C:\\work\\a.cu", "/b/", "x".repeat(100)].entries()) {
    places.addFile(number + 1, name);
    places.add(10 * (number + 1), number + 1, 5);
  }
  assert.deepEqual([10, 20, 30].map((line) => places.placeOf(line)), ["a.cu:5", ":5", `${"x".repeat(64)}:5`]);
});

Deno.test("SourcePlaces keeps so many, and has none for what comes after", () => {
  const places = new SourcePlaces();
  places.addFile(1, "a.cu");
  for (let line = 1; line <= PLACES_MAX; line++) places.add(line, 1, 2 * line);
  assert.equal(places.placeOf(PLACES_MAX), `a.cu:${2 * PLACES_MAX}`);
  places.add(PLACES_MAX + 1, 1, 7);
  places.end(PLACES_MAX + 2);
  const found = [PLACES_MAX - 1, PLACES_MAX, PLACES_MAX + 1, PLACES_MAX + 5].map((line) =>
    places.placeOf(line)
  );
  assert.deepEqual(found, [`a.cu:${2 * (PLACES_MAX - 1)}`, undefined, undefined, undefined]);
});
