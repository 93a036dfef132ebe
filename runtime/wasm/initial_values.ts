/**
 * Initial values: the constant expressions of tables, globals and element segments, which every instance
 * evaluates before any of its code runs.
 *
 * Owns the walk over them and the bound on what they allocate. It does not evaluate them. Invariant: an
 * instance of a module that passed allocates at most OBJECT_FIELDS_MAX array elements and fields by itself.
 */
import { fault } from "../model/fault.ts";
import { limitMessage } from "../model/limits.ts";
import { type ConstantFacts, skipConstantExpression } from "./constant_expression.ts";
import { readTableType, skipGlobalType, TABLE_WITH_INITIAL_VALUE } from "./extern_type.ts";
import { DEFINITIONS_MAX, TABLES_MAX } from "./inspect.ts";
import { type ByteReader, malformed } from "./reader.ts";
import type { SectionIndex } from "./section.ts";
import { skipReferenceType, type TypeTable } from "./type_section.ts";

/** Most elements of all arrays and fields of all structs that initial values make. */
const OBJECT_FIELDS_MAX = 1_000_000;
/** Most element segments, and most elements of one (JavaScript interface specification, §"Limits"). */
const ELEMENTS_MAX = 10_000_000;

// Flags of an element segment (core specification, binary format, "Element section").
const FLAG_NOT_ACTIVE = 0x01;
const FLAG_TABLE_OR_DECLARED = 0x02;
const FLAG_EXPRESSIONS = 0x04;

/** What the initial values of a module are made of. */
export interface InitialValues {
  readonly isExtended: boolean;
  readonly makesObjects: boolean;
}

/**
 * Reads every initial value.
 *
 * @throws RuntimeFault `invalid_wasm`
 */
export function readInitialValues(sections: SectionIndex, types: TypeTable): InitialValues {
  const values = new Values(types);
  each(sections.find("table"), "tables", TABLES_MAX, (reader) => {
    const hasValue = reader.peek() === TABLE_WITH_INITIAL_VALUE;
    if (hasValue) reader.skip(2);
    readTableType(reader, false);
    if (hasValue) values.read(reader);
  });
  each(sections.find("global"), "globals", DEFINITIONS_MAX, (reader) => {
    skipGlobalType(reader);
    values.read(reader);
  });
  each(sections.find("element"), "element segments", ELEMENTS_MAX, (reader) => readSegment(reader, values));
  return values;
}

/** The sum over expressions. */
class Values implements InitialValues {
  isExtended = false;
  makesObjects = false;
  readonly #types: TypeTable;
  #objectFields = 0;

  constructor(types: TypeTable) {
    this.#types = types;
  }

  read(reader: ByteReader): void {
    this.#add(skipConstantExpression(reader, this.#types));
  }

  #add({ objectFields, isExtended, makesObjects }: ConstantFacts): void {
    if (isExtended) this.isExtended = true;
    if (makesObjects) this.makesObjects = true;
    this.#objectFields += objectFields;
    if (this.#objectFields <= OBJECT_FIELDS_MAX) return;
    const what = "Module makes too large objects as initial values";
    throw fault(
      "invalid_wasm",
      limitMessage(what, "object fields limit", OBJECT_FIELDS_MAX, this.#objectFields),
    );
  }
}

function readSegment(reader: ByteReader, values: Values): void {
  const at = reader.offset;
  const flags = reader.u32();
  if (flags > (FLAG_NOT_ACTIVE | FLAG_TABLE_OR_DECLARED | FLAG_EXPRESSIONS)) {
    throw malformed("an element segment has unknown flags", at);
  }
  const isActive = (flags & FLAG_NOT_ACTIVE) === 0;
  const hasExpressions = (flags & FLAG_EXPRESSIONS) !== 0;
  if (isActive) {
    if ((flags & FLAG_TABLE_OR_DECLARED) !== 0) reader.u32();
    values.read(reader);
  }
  // Only the short forms, which are active, leave the kind or type of the elements out.
  if ((flags & (FLAG_NOT_ACTIVE | FLAG_TABLE_OR_DECLARED)) !== 0) {
    if (hasExpressions) skipReferenceType(reader);
    else reader.skip(1);
  }
  for (let count = reader.count("elements", ELEMENTS_MAX, 1); count > 0; count--) {
    if (hasExpressions) values.read(reader);
    else reader.u32();
  }
}

function each(
  reader: ByteReader | undefined,
  what: string,
  max: number,
  readItem: (reader: ByteReader) => void,
): void {
  if (reader === undefined) return;
  for (let count = reader.count(what, max, 1); count > 0; count--) readItem(reader);
  reader.finish();
}
