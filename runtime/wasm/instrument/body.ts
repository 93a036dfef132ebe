/**
 * Body: one function as it goes through analysis and rewriting.
 *
 * Owns the shapes, and the reading of local declarations. Invariant: offsets count from the start of the
 * module.
 */
import { type ByteReader, malformed } from "../reader.ts";
import { readValueType } from "../type_section.ts";
import type { FunctionAnalysis } from "./analysis.ts";

/** Most locals of a function, parameters included (JavaScript interface specification, §"Limits"). */
export const LOCALS_MAX = 50_000;

/** The local declarations of a body: where they are and how many locals they make. */
export interface LocalDeclarations {
  readonly start: number;
  readonly groupsStart: number;
  readonly end: number;
  readonly groupCount: number;
  readonly count: number;
}

/** A body to rewrite. */
export interface Body {
  readonly functionIndex: number;
  readonly typeIndex: number;
  readonly locals: LocalDeclarations;
  /** Locals and parameters. */
  readonly localCount: number;
  readonly analysis: FunctionAnalysis;
  /** A reader of the body. */
  readonly reader: ByteReader;
  /** What takes the place of direct calls of the function itself; see unrolled_recursion.ts. */
  readonly recursion?: Recursion;
}

/** How a function that calls itself is unrolled. */
export interface Recursion {
  /** Index of the function that is called instead. */
  readonly successor: number;
  /** Whether this copy checks, and then how many bodies it pays for. */
  readonly bodiesPaid: number;
}

/** Reads the local declarations of a body. @throws RuntimeFault `invalid_wasm` */
export function readLocals(reader: ByteReader): LocalDeclarations {
  const start = reader.offset;
  const groupCount = reader.count("groups of locals", LOCALS_MAX, 2);
  const groupsStart = reader.offset;
  let count = 0;
  for (let group = 0; group < groupCount; group++) {
    const at = reader.offset;
    count += reader.u32();
    if (count > LOCALS_MAX) throw malformed("a function has too many locals", at);
    readValueType(reader);
  }
  return { start, groupsStart, end: reader.offset, groupCount, count };
}
