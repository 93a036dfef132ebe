/**
 * Opcodes: which file knows an instruction that does not end a block.
 *
 * Owns the table. Invariant: an opcode that is missing here, and makes no end in control.ts, is an Error with
 * the whole instruction in its text.
 */
import { asyncCopyStep, loadStep, storeStep } from "./memory.ts";
import { atomicStep } from "./atomics.ts";
import {
  countStep,
  extractStep,
  findStep,
  funnelStep,
  insertStep,
  lop3Step,
  permuteStep,
  reverseStep,
} from "./bits.ts";
import { extendStep, findNthStep, maskStep } from "./bit_masks.ts";
import { carryStep } from "./carry.ts";
import { selpStep, setpStep, setStep, slctStep } from "./compare.ts";
import { cvtStep } from "./convert.ts";
import { dotStep } from "./dot_products.ts";
import { copysignStep, floatStep, testStep } from "./float.ts";
import { halfStep, isHalfType } from "./half.ts";
import { integerStep, product24Step, shiftStep } from "./integer.ts";
import { memoryBarrierStep } from "./mbarrier.ts";
import { cvtaStep, isspacepStep, movStep } from "./move.ts";
import type { Site } from "./site.ts";
import type { Step } from "./thread.ts";
import { videoStep } from "./video.ts";

type Maker = (site: Site) => Step;

/** Arithmetic that integers and floating-point numbers share. */
function arithmetic(site: Site): Step {
  if (site.has("cc")) return carryStep(site);
  const type = site.types.at(-1);
  if (isHalfType(type)) return halfStep(site);
  return type === "f32" || type === "f64" ? floatStep(site) : integerStep(site);
}

/** Nothing to do where threads run one after the other and memory has no caches. */
const NOTHING: Maker = () => () => {};

/** `createpolicy`: policies of caches say nothing here. */
function policy(site: Site): Step {
  const { u64 } = site.registers;
  const d = site.target();
  return (t) => void (u64[t.base + d] = 0n);
}

const TABLE: Readonly<Record<string, Maker>> = {
  ...Object.fromEntries(
    ["add", "sub", "mul", "mad", "fma", "div", "rem", "abs", "neg", "min", "max", "sad"].map((
      word,
    ) => [word, arithmetic]),
  ),
  ...Object.fromEntries(
    ["sqrt", "rcp", "rsqrt", "sin", "cos", "lg2", "ex2", "tanh"].map((word) => [word, arithmetic]),
  ),
  ...Object.fromEntries(["and", "or", "xor", "not", "cnot"].map((word) => [word, integerStep])),
  ...Object.fromEntries(["addc", "subc", "madc"].map((word) => [word, carryStep])),
  ...Object.fromEntries(
    [
      "membar",
      "fence",
      "nanosleep",
      "prefetch",
      "prefetchu",
      "pmevent",
      "discard",
      "applypriority",
      "griddepcontrol",
      "setmaxnreg",
    ]
      .map((word) => [word, NOTHING]),
  ),
  shl: shiftStep,
  shr: shiftStep,
  mul24: product24Step,
  mad24: product24Step,
  lop3: lop3Step,
  shf: funnelStep,
  prmt: permuteStep,
  bfe: extractStep,
  bfi: insertStep,
  bfind: findStep,
  clz: countStep,
  popc: countStep,
  brev: reverseStep,
  fns: findNthStep,
  bmsk: maskStep,
  szext: extendStep,
  copysign: copysignStep,
  testp: testStep,
  set: setStep,
  setp: setpStep,
  selp: selpStep,
  slct: slctStep,
  mov: movStep,
  cvt: cvtStep,
  cvta: cvtaStep,
  isspacep: isspacepStep,
  ld: loadStep,
  ldu: loadStep,
  st: storeStep,
  atom: atomicStep,
  red: atomicStep,
  cp: asyncCopyStep,
  mbarrier: memoryBarrierStep,
  createpolicy: policy,
  dp4a: dotStep,
  dp2a: dotStep,
};

export function stepOf(site: Site): Step {
  const { opcode } = site.ins;
  const make = TABLE[opcode];
  if (make !== undefined) return make(site);
  if (/^v(add|sub|absdiff|min|max|set|shl|shr|mad|avrg)[24]?$/.test(opcode)) return videoStep(site);
  throw site.unknown();
}
