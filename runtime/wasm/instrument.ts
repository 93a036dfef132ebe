/**
 * instrumentModule: makes a module preemptible, metered and stoppable; bytes in, bytes out.
 *
 * Owns the walk over the sections and what is appended to each: types, helper functions, the fuel and tick
 * globals, the exports by which a cell reaches them, tighter maxima of memories and tables, and a start
 * function that is exported instead of run. Appending is all it does: no index of the original moves.
 * It calls no engine. Invariants: linear time and memory; what the engine accepts stays acceptable. The caller
 * has had the engine validate the original: an index that is out of range there could name what is appended.
 */
import { fault } from "../model/fault.ts";
import { limitMessage } from "../model/limits.ts";
import { ByteWriter, unsignedBytes } from "./instrument/byte_writer.ts";
import { rewriteCode, type RewrittenCode } from "./instrument/code_section.ts";
import { AppendedFunctions } from "./instrument/appended_functions.ts";
import { clampMemories, clampTables } from "./instrument/maxima.ts";
import { type Feature, findFeatures, UsedOpcodes } from "./features.ts";
import { readInitialValues } from "./initial_values.ts";
import { readIndexSpaces } from "./index_spaces.ts";
import type { IndexSpaces } from "./index_spaces.ts";
import { EXTERN } from "./index_spaces.ts";
import { DEFINITIONS_MAX, EXTERNS_MAX } from "./inspect.ts";
import { malformed } from "./reader.ts";
import { ORDER, readSections, SECTION } from "./section.ts";
import type { SectionIndex } from "./section.ts";

/** Limits that are written into the module. */
export interface InstrumentOptions {
  /** Largest memory in pages of 64 KiB; a defined memory's maximum is lowered to it. */
  readonly memoryPagesMax: number;
  /** Largest table in elements; likewise. */
  readonly tableElementsMax: number;
}

/** Names of the exports that are appended. No module may use the prefix itself. */
export const HOOKS = {
  /** Mutable i32: the fuel left. */
  fuel: "tensor_wasm:fuel",
  /** Mutable (ref null (func (param i32) (result i32))): asked for more fuel, answers with it, negative to stop. */
  tick: "tensor_wasm:tick",
  /** The start function, if the module has one. */
  start: "tensor_wasm:start",
  /** The first memory, if there is one. */
  memory: "tensor_wasm:memory",
} as const;

const HOOK_PREFIX = "tensor_wasm:";

// Encodings of what is appended.
const FORM_FUNC = 0x60;
const I32 = 0x7f;
const REF_NULL_TYPE = 0x63;
const MUTABLE = 1;
const I32_CONST = 0x41;
const REF_NULL = 0xd0;
const END = 0x0b;

/** Custom sections that speak of offsets in code; those are not kept. */
const OFFSET_SECTIONS = /^(metadata\.code\.|\.debug_|sourceMappingURL$|external_debug_info$)/;

/**
 * Instruments a module.
 *
 * @throws RuntimeFault `invalid_wasm` for a module that is malformed, shares a memory, waits on one, exports a
 * reserved name, or is so near to a limit of the engine that nothing can be appended;
 * `module_memory_too_large` for one that starts larger than the limits
 */
export function instrumentModule(bytes: Uint8Array, options: InstrumentOptions): Uint8Array<ArrayBuffer> {
  return instrumentAndDescribe(bytes, options).bytes;
}

/** An instrumented module, and what of the original could only be seen in its code. */
export interface Instrumented {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The proposals beyond the first version of the format that it uses, in a fixed order. */
  readonly features: readonly Feature[];
}

/** As `instrumentModule`, with what was learned on the way. @throws RuntimeFault as `instrumentModule` */
export function instrumentAndDescribe(bytes: Uint8Array, options: InstrumentOptions): Instrumented {
  const sections = readSections(bytes);
  const spaces = readIndexSpaces(bytes, sections);
  const helpers = new AppendedFunctions({
    fuel: spaces.globalCount,
    tick: spaces.globalCount + 1,
    functionFirst: spaces.functions.length,
    typeFirst: spaces.types.count,
  });
  const initial = readInitialValues(sections, spaces.types);
  const used = new UsedOpcodes();
  const code = rewriteCode(bytes, sections.find("code"), spaces, helpers, {
    elementsMax: options.tableElementsMax,
    used,
  });
  const features = findFeatures(spaces, initial, used);
  checkExceptions(features);
  checkRoom(spaces, helpers);
  const codeBytes = sections.find("code")?.remaining ?? 0;
  const out = new ByteWriter(bytes.length - codeBytes + code.bodies.length + 65_536);
  out.copy(bytes, 0, 8);
  const module: Module = { bytes, sections, spaces, helpers, options, code };
  // Custom sections keep their place between the others.
  let rankDone = -1;
  for (const section of sections.all) {
    if (section.id === SECTION.custom) {
      if (!OFFSET_SECTIONS.test(section.name)) out.copy(bytes, section.headStart, section.end);
      continue;
    }
    const rank = ORDER.indexOf(section.id);
    writeSections(out, module, rankDone + 1, rank);
    rankDone = rank;
  }
  writeSections(out, module, rankDone + 1, ORDER.length - 1);
  return { bytes: out.bytes(), features };
}

/**
 * The engine takes no mixture of both kinds of exceptions, but as it validates functions on several threads it
 * only finds out at times.
 */
function checkExceptions(features: readonly Feature[]): void {
  if (!features.includes("exceptions") || !features.includes("legacy-exceptions")) return;
  throw fault("invalid_wasm", "Module mixes legacy and new exception handling instructions");
}

interface Module {
  readonly bytes: Uint8Array;
  readonly sections: SectionIndex;
  readonly spaces: IndexSpaces;
  readonly helpers: AppendedFunctions;
  readonly options: InstrumentOptions;
  readonly code: RewrittenCode;
}

/** Writes the sections from rank `first` to rank `last` of the prescribed order. */
function writeSections(out: ByteWriter, module: Module, first: number, last: number): void {
  for (let rank = first; rank <= last; rank++) {
    const id = ORDER[rank];
    switch (id) {
      case SECTION.type:
        writeSection(out, id, typeSection(module));
        break;
      case SECTION.function:
        writeSection(out, id, functionSection(module));
        break;
      case SECTION.table:
        writeSection(out, id, clampTables(module.bytes, module.sections, module.options.tableElementsMax));
        break;
      case SECTION.memory:
        writeSection(out, id, clampMemories(module.sections, module.options.memoryPagesMax));
        break;
      case SECTION.global:
        writeSection(out, id, globalSection(module));
        break;
      case SECTION.export:
        writeSection(out, id, exportSection(module));
        break;
      case SECTION.start:
        break;
      case SECTION.code:
        writeSection(out, SECTION.custom, module.code.hints.section());
        writeCode(out, module);
        break;
      default: {
        const extent = id === undefined ? undefined : module.sections.extent(id);
        if (id === undefined || extent === undefined) break;
        out.u8(id);
        out.sized(module.bytes.subarray(extent[0], extent[1]));
      }
    }
  }
}

function writeSection(out: ByteWriter, id: number, content: ByteWriter | undefined): void {
  if (content === undefined) return;
  out.u8(id);
  out.sized(content.bytes());
}

/** The bodies are only copied once: they are most of a module. */
function writeCode(out: ByteWriter, { code, helpers }: Module): void {
  const appended = new ByteWriter(1024);
  for (const { body } of helpers.functions) appended.sized(body);
  const count = unsignedBytes(code.bodyCount + helpers.functions.length);
  out.u8(SECTION.code);
  out.unsigned(count.length + code.bodies.length + appended.length);
  out.write(...count);
  out.append(code.bodies.bytes());
  out.append(appended.bytes());
}

/** A section that begins with a count: the count grows by `added`, and `write` appends the new entries. */
function extend(
  module: Module,
  id: number,
  added: number,
  write: (out: ByteWriter) => void,
): ByteWriter {
  const extent = module.sections.extent(id);
  const out = new ByteWriter((extent === undefined ? 0 : extent[1] - extent[0]) + 64);
  const reader = extent === undefined ? undefined : module.sections.read(extent);
  out.unsigned((reader?.u32() ?? 0) + added);
  if (reader !== undefined && extent !== undefined) out.copy(module.bytes, reader.offset, extent[1]);
  write(out);
  return out;
}

function typeSection(module: Module): ByteWriter {
  const { signatures } = module.helpers;
  return extend(module, SECTION.type, signatures.length, (out) => {
    for (const [params, results] of signatures) {
      out.u8(FORM_FUNC);
      for (const types of [params, results]) {
        out.unsigned(types.length);
        for (const type of types) out.write(...type);
      }
    }
  });
}

function functionSection(module: Module): ByteWriter {
  const functions = module.helpers.functions;
  return extend(module, SECTION.function, functions.length, (out) => {
    for (const { type } of functions) out.unsigned(type);
  });
}

/** The fuel starts at zero, so that the first check asks the host. */
function globalSection(module: Module): ByteWriter {
  return extend(module, SECTION.global, 2, (out) => {
    for (const byte of [I32, MUTABLE, I32_CONST, 0, END]) out.u8(byte);
    const type = module.spaces.types.count;
    out.u8(REF_NULL_TYPE);
    out.signed(type);
    out.u8(MUTABLE);
    out.u8(REF_NULL);
    out.signed(type);
    out.u8(END);
  });
}

function exportSection(module: Module): ByteWriter {
  const { globalCount, memories } = module.spaces;
  const start = module.sections.find("start")?.u32();
  const added: (readonly [name: string, kind: number, index: number])[] = [
    [HOOKS.fuel, EXTERN.global, globalCount],
    [HOOKS.tick, EXTERN.global, globalCount + 1],
  ];
  if (start !== undefined) added.push([HOOKS.start, EXTERN.func, start]);
  if (memories.length > 0) added.push([HOOKS.memory, EXTERN.memory, 0]);
  return extend(module, SECTION.export, added.length, (out) => {
    checkExportNames(module.sections);
    for (const [name, kind, index] of added) {
      out.sized(new TextEncoder().encode(name));
      out.u8(kind);
      out.unsigned(index);
    }
  });
}

function checkExportNames(sections: SectionIndex): void {
  const reader = sections.find("export");
  if (reader === undefined) return;
  const count = reader.count("exports", EXTERNS_MAX, 3);
  for (let index = 0; index < count; index++) {
    const at = reader.offset;
    if (reader.name().startsWith(HOOK_PREFIX)) {
      throw malformed(`an export's name begins with ${HOOK_PREFIX}, which is reserved`, at);
    }
    reader.skip(1);
    reader.u32();
  }
}

/** Ours, far below the engine's: it keeps every type that it has ever seen, for the whole life of a process. */
const TYPES_MAX = 50_000;

/** The engine counts what is appended too. */
function checkRoom({ types, functions, globalCount }: IndexSpaces, helpers: AppendedFunctions): void {
  const counts: (readonly [what: string, max: number, actual: number])[] = [
    ["types", TYPES_MAX, types.count + helpers.signatures.length],
    ["functions", DEFINITIONS_MAX, functions.length + helpers.functions.length],
    ["globals", DEFINITIONS_MAX, globalCount + 2],
  ];
  for (const [what, max, actual] of counts) {
    if (actual <= max) continue;
    const sentence = `Module has too many ${what}`;
    throw fault("invalid_wasm", limitMessage(sentence, `${what} limit`, max, actual));
  }
}
