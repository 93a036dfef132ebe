/**
 * The parsed form of a PTX module: what the text says, with names resolved and nothing judged.
 *
 * Owns the types that the parser makes and the compiler (and the tests' interpreter) read. It does not say
 * which opcodes exist (opcodes/ does). Invariant: scopes are gone: every register of a function has one index
 * in its `registers`, every label one index into its `instructions`, every variable is one object, however
 * often a name was declared in nested braces.
 */
import type { SourcePlaces } from "./source_places.ts";

/** Fundamental types (PTX ISA 5.2.1), without the dot. */
export type PtxType =
  | "b8"
  | "b16"
  | "b32"
  | "b64"
  | "b128"
  | "u8"
  | "u16"
  | "u32"
  | "u64"
  | "s8"
  | "s16"
  | "s32"
  | "s64"
  | "u16x2"
  | "s16x2"
  | "f16"
  | "f16x2"
  | "bf16"
  | "bf16x2"
  | "tf32"
  | "f32"
  | "f64"
  | "pred";

/** Where a variable lives (PTX ISA 5.1). */
export type PtxSpace = "global" | "const" | "shared" | "local" | "param" | "reg";

/** A register of a function. Vector registers are one per element, named `%v.x`. */
export interface PtxRegister {
  readonly name: string;
  readonly type: PtxType;
}

/** A place in an initialiser that holds an address. */
export interface PtxRelocation {
  /** Byte offset in the variable, and bytes that the address takes (4 or 8). */
  readonly offset: number;
  readonly size: number;
  /** Name of the module-scope variable or function. */
  readonly symbol: string;
  readonly addend: bigint;
  /** Whether it is the generic address (`generic(name)`) rather than that in the variable's own space. */
  readonly isGeneric: boolean;
}

/** What a variable holds at the start; bytes beyond it are zero. */
export interface PtxInitializer {
  readonly bytes: Uint8Array;
  readonly relocations: readonly PtxRelocation[];
}

/** A variable: of the module, of a function's body, or a parameter. */
export interface PtxVariable {
  readonly name: string;
  readonly space: PtxSpace;
  readonly type: PtxType;
  /** Bytes in all, 0 for `extern` arrays without a size; and its alignment. */
  readonly byteLength: number;
  readonly alignment: number;
  readonly linkage: PtxLinkage | undefined;
  readonly initializer: PtxInitializer | undefined;
  readonly line: number;
}

/** Linking directives (PTX ISA 11.6). */
export type PtxLinkage = "extern" | "visible" | "weak" | "common";

/** The base of an address or the start of a sum: a register, a variable, or nothing for an absolute one. */
export type PtxBase =
  | { readonly kind: "register"; readonly register: number }
  | { readonly kind: "variable"; readonly variable: PtxVariable }
  | { readonly kind: "absolute" };

/** An operand as written. */
export type PtxOperand =
  /** A register; `isNegated` for `!%p`, `isMinus` for `-%r` (neither is common). */
  | { readonly kind: "register"; readonly register: number; readonly isNegated?: boolean }
  /** An integer, as the 64 bits of it, negative if written so. */
  | { readonly kind: "integer"; readonly value: bigint }
  /** A floating-point constant: `0f…` with 32 bits, `0d…` or decimal with 64. */
  | { readonly kind: "float"; readonly width: 32 | 64; readonly bits: bigint }
  /** A special register such as `%tid.x`: name without % and with its component, `tid.x`, `laneid`. */
  | { readonly kind: "special"; readonly name: string }
  /** The address of a variable plus an offset, not dereferenced. */
  | { readonly kind: "variable"; readonly variable: PtxVariable; readonly offset: bigint }
  /** `[base+offset]`. */
  | { readonly kind: "address"; readonly base: PtxBase; readonly offset: bigint }
  /** `{a, b}`. */
  | { readonly kind: "vector"; readonly elements: readonly PtxOperand[] }
  /** `d|p`: two results of one instruction (setp, shfl, match). */
  | { readonly kind: "pair"; readonly first: PtxOperand; readonly second: PtxOperand }
  /** A label of this function: an index into its `instructions` (one past the last for a label at the end). */
  | { readonly kind: "label"; readonly name: string; readonly target: number }
  /** A function by name: the callee of a call, or its address. */
  | { readonly kind: "function"; readonly name: string }
  /** `(a, b)`: arguments or results of a call. */
  | { readonly kind: "list"; readonly elements: readonly PtxOperand[] }
  /** `.branchtargets` of a `brx.idx`: indices into `instructions`. */
  | { readonly kind: "targets"; readonly targets: readonly number[] }
  /** The prototype of an indirect call, by its parameters. */
  | {
    readonly kind: "prototype";
    readonly returns: readonly PtxVariable[];
    readonly params: readonly PtxVariable[];
    /** Functions that `.calltargets` names, if it was that. */
    readonly targets?: readonly string[];
  }
  /** `_`: a result that is not wanted. */
  | { readonly kind: "sink" };

/** An instruction. */
export interface PtxInstruction {
  readonly line: number;
  /** `@%p` or `@!%p`. */
  readonly guard: { readonly register: number; readonly isNegated: boolean } | undefined;
  /** The first word: `add`. */
  readonly opcode: string;
  /** What follows it, in order, without dots: `rn`, `ftz`, `f32`; `L1::no_allocate` is one word. */
  readonly modifiers: readonly string[];
  /** Destination first, as written. */
  readonly operands: readonly PtxOperand[];
}

/** An entry or a function. */
export interface PtxFunction {
  readonly kind: "entry" | "func";
  readonly name: string;
  readonly line: number;
  readonly linkage: PtxLinkage | undefined;
  readonly params: readonly PtxVariable[];
  readonly returns: readonly PtxVariable[];
  /** Performance directives: `maxntid`, `reqntid`, `minnctapersm`, … with their numbers. */
  readonly directives: ReadonlyMap<string, readonly number[]>;
  /** Absent for a declaration. */
  readonly body: PtxBody | undefined;
}

/** What a function does. */
export interface PtxBody {
  readonly registers: readonly PtxRegister[];
  /** `.local`, `.shared`, `.param` and other variables declared inside, of all scopes. */
  readonly variables: readonly PtxVariable[];
  readonly instructions: readonly PtxInstruction[];
  /** Labels that a diagnostic may name: index into `instructions` by name. */
  readonly labels: ReadonlyMap<string, number>;
}

/** A module. */
export interface PtxModule {
  readonly version: { readonly major: number; readonly minor: number };
  /** `.target` as written: `sm_90a`, `debug`, … */
  readonly targets: readonly string[];
  readonly addressSize: 32 | 64;
  readonly variables: readonly PtxVariable[];
  readonly functions: readonly PtxFunction[];
  /** `.alias a, b;`: name to name. */
  readonly aliases: ReadonlyMap<string, string>;
  /** Where its lines come from, if it says so. */
  readonly places: SourcePlaces;
}

/** Bytes of a type in memory; predicates have none. */
export function bytesOf(type: PtxType): number {
  return TYPE_BYTES[type];
}

const TYPE_BYTES: Readonly<Record<PtxType, number>> = {
  b8: 1,
  u8: 1,
  s8: 1,
  b16: 2,
  u16: 2,
  s16: 2,
  f16: 2,
  bf16: 2,
  b32: 4,
  u32: 4,
  s32: 4,
  u16x2: 4,
  s16x2: 4,
  f16x2: 4,
  bf16x2: 4,
  tf32: 4,
  f32: 4,
  b64: 8,
  u64: 8,
  s64: 8,
  f64: 8,
  b128: 16,
  pred: 0,
};

/** Whether a modifier is a type. */
export function isPtxType(word: string): word is PtxType {
  return Object.hasOwn(TYPE_BYTES, word);
}
