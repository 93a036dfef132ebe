import assert from "node:assert/strict";
import type {
  PtxBody,
  PtxFunction,
  PtxInstruction,
  PtxModule,
  PtxOperand,
  PtxVariable,
} from "../../../gpu/ptx/ast.ts";
import { parsePtx } from "../../../gpu/ptx/syntax/parser.ts";
import { PtxError } from "../../../gpu/ptx/ptx_error.ts";

/** What every module of the tests starts with; what follows it is in line 3. */
export const HEADER = ".version 9.0\n.target sm_90\n.address_size 64 ";

/** Registers of every body that `inBody` makes. */
const REGISTERS = ".reg .b32 %r<10>; .reg .b64 %rd<10>; .reg .f32 %f<10>; .reg .pred %p<4>;";

/** A module with one entry `k`; `text` starts in line 4, behind the registers of line 3. */
export function inBody(text: string, moduleText = ""): string {
  return `${HEADER}${moduleText}.entry k(.param .u64 p0, .param .align 8 .b8 pa[16]) {${REGISTERS}\n${text}\n}`;
}

/** The function of that name. */
export function functionOf(text: string, name = "k"): PtxFunction {
  const found = parsePtx(text).functions.find((one) => one.name === name);
  assert.ok(found);
  return found;
}

/** The body of the function of that name. */
export function bodyOf(text: string, name = "k"): PtxBody {
  const { body } = functionOf(text, name);
  assert.ok(body);
  return body;
}

/** The instructions of a body that is `text`. */
export function instructionsOf(text: string, moduleText = ""): readonly PtxInstruction[] {
  return bodyOf(inBody(text, moduleText)).instructions;
}

/** The operands of the only instruction in `text`, registers by their names. */
export function operandsOf(text: string, moduleText = ""): unknown[] {
  const body = bodyOf(inBody(text, moduleText));
  assert.equal(body.instructions.length, 1, text);
  return (body.instructions[0]?.operands ?? []).map((operand) => readable(operand, body));
}

/** The variable of that name in a module that is `text` behind the header. */
export function variableOf(text: string, name = "x"): PtxVariable {
  const found = parsePtx(HEADER + text).variables.find((one) => one.name === name);
  assert.ok(found, text);
  return found;
}

/** Asserts that `text` is refused in that line, for that reason. */
export function refuses(
  text: string,
  line: number,
  message: RegExp,
  kind: PtxError["kind"] = "syntax",
): void {
  assert.throws(() => parsePtx(text), (error) => {
    assert.ok(error instanceof PtxError, String(error));
    assert.match(error.message, message);
    assert.deepEqual([error.kind, error.line], [kind, line], `${error.message} in ${text.slice(0, 200)}`);
    return true;
  });
}

/** An operand in short: names for registers and variables, numbers for integers. */
export function readable(operand: PtxOperand, body: PtxBody): unknown {
  switch (operand.kind) {
    case "register":
      return `${operand.isNegated ? "!" : ""}${body.registers[operand.register]?.name}`;
    case "integer":
      return operand.value;
    case "float":
      return `f${operand.width}:${operand.bits.toString(16)}`;
    case "special":
      return `special ${operand.name}`;
    case "variable":
      return `${operand.variable.name}+${operand.offset}`;
    case "address": {
      const { base, offset } = operand;
      if (base.kind === "absolute") return `[${offset}]`;
      const name = base.kind === "register" ? body.registers[base.register]?.name : base.variable.name;
      return `[${name}+${offset}]`;
    }
    case "vector":
    case "list":
      return { [operand.kind]: operand.elements.map((one) => readable(one, body)) };
    case "pair":
      return { pair: [readable(operand.first, body), readable(operand.second, body)] };
    case "label":
      return `${operand.name}@${operand.target}`;
    case "function":
      return `function ${operand.name}`;
    case "sink":
      return "_";
    default:
      return operand;
  }
}

/** Asserts what the types promise about indices and sizes. */
export function checkModule({ functions, variables }: PtxModule): void {
  for (const { body } of functions) {
    for (const { guard, operands } of body?.instructions ?? []) {
      if (guard !== undefined) assert.ok(guard.register < (body?.registers.length ?? 0));
      if (body !== undefined) { for (const operand of operands) checkOperand(operand, body); }
    }
  }
  for (const { byteLength, initializer } of variables) {
    assert.ok(byteLength <= 2 ** 32 && (initializer?.bytes.length ?? 0) <= byteLength);
  }
}

function checkOperand(operand: PtxOperand, body: PtxBody): void {
  switch (operand.kind) {
    case "register":
      assert.ok(operand.register < body.registers.length);
      return;
    case "address":
      if (operand.base.kind === "register") assert.ok(operand.base.register < body.registers.length);
      return;
    case "label":
      assert.ok(operand.target <= body.instructions.length);
      return;
    case "targets":
      for (const target of operand.targets) assert.ok(target <= body.instructions.length);
      return;
    case "vector":
    case "list":
      for (const element of operand.elements) checkOperand(element, body);
  }
}
