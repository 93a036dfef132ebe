/**
 * Rules for tables: one of any functions, one of typed functions, one of points.
 *
 * Owns the instructions on tables, whose first may have 64-bit addresses. Most places are in bounds. Invariant:
 * tableGet and tableGrow leave one value, tableSize too, the statements nothing.
 */
import type { Body, Rule } from "./body.ts";
import { addressConstant } from "./memory.ts";
import { CALLEE_TABLE, FUNCTION_ELEMENTS, FUNCTION_TABLE, POINT_ELEMENTS } from "./plan.ts";
import { CALLEE_ELEMENTS, POINT_TABLE, TABLE_LENGTHS } from "./plan.ts";
import type { Type } from "./value_type.ts";
import { chargeWork } from "./work.ts";

function isTable64(body: Body, table: number): boolean {
  return table === FUNCTION_TABLE && body.plan.tableIs64;
}

function tableElement(table: number): Type {
  return table === FUNCTION_TABLE ? "funcref" : table === CALLEE_TABLE ? "callee" : "point";
}

function tablePlace(body: Body, table: number): void {
  const length = TABLE_LENGTHS[table] ?? 0;
  const place = body.choices.below(body.choices.oneIn(20) ? length + 4 : length);
  addressConstant(body, isTable64(body, table), place);
}

/** An element: one value. */
export function tableGet(body: Body, table: number): void {
  tablePlace(body, table);
  body.op(0x25);
  body.u(table);
}

/** The length before: one i32. */
export function tableGrow(body: Body, depth: number): void {
  const table = body.choices.below(TABLE_LENGTHS.length);
  body.value(tableElement(table), depth);
  addressConstant(body, isTable64(body, table), body.choices.below(4));
  body.op(0xfc, 15);
  body.u(table);
  if (isTable64(body, table)) body.op(0xa7);
}

/** The length of any table: one i32. */
export function tableSize(body: Body): void {
  const table = body.choices.below(TABLE_LENGTHS.length);
  body.op(0xfc, 16);
  body.u(table);
  if (isTable64(body, table)) body.op(0xa7);
}

const tableSet: Rule = (body, depth) => {
  const table = body.choices.below(TABLE_LENGTHS.length);
  tablePlace(body, table);
  body.value(tableElement(table), depth);
  body.op(0x26);
  body.u(table);
};

const tableBulk: Rule = (body, depth) => {
  const table = body.choices.below(TABLE_LENGTHS.length);
  const is64 = isTable64(body, table);
  const kind = body.choices.below(3);
  chargeWork(body, 2);
  addressConstant(body, is64, body.choices.below(4));
  if (kind === 0) body.value(tableElement(table), depth);
  else if (kind === 1) addressConstant(body, is64, body.choices.below(4));
  else body.i32(body.choices.below(3));
  if (kind === 2) body.i32(body.choices.below(3));
  else addressConstant(body, is64, body.choices.below(6));
  if (kind === 0) body.op(0xfc, 17, table);
  else if (kind === 1) body.op(0xfc, 14, table, table);
  else {
    const segment = table === POINT_TABLE ? POINT_ELEMENTS : FUNCTION_ELEMENTS;
    body.op(0xfc, 12, table === CALLEE_TABLE ? CALLEE_ELEMENTS : segment, table);
  }
};

/** The rules of statements on tables. */
export const TABLE_STATEMENTS: readonly Rule[] = [tableSet, tableBulk];
