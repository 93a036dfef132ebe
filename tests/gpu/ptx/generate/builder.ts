/**
 * Builder: the text of one function while it is generated.
 *
 * Owns names of registers and labels, the variables that are always defined, and the count of instructions
 * that a thread may run. Templates (expand) are lines of PTX with holes. Invariant: every register is written
 * on each way to a read of it: variables at the start, temporaries in the same template.
 */
import type { Random } from "./random.ts";

/** Classes of registers by PTX type. */
export type RegisterClass = "b16" | "b32" | "b64" | "f32" | "f64" | "pred";

const PREFIXES: Readonly<Record<RegisterClass, string>> = {
  b16: "%h",
  b32: "%r",
  b64: "%d",
  f32: "%f",
  f64: "%g",
  pred: "%p",
};

const CLASSES = Object.keys(PREFIXES) as RegisterClass[];

/** Constants at which integer instructions change their ways. */
const ODD_INTEGERS = [
  "0",
  "1",
  "-1",
  "2",
  "7",
  "31",
  "32",
  "33",
  "63",
  "255",
  "-128",
  "2147483647",
  "-2147483648",
];

/** Bits of singles: zeros, ones, subnormal, largest, infinity, small numbers. */
const ODD_SINGLES = [
  "00000000",
  "80000000",
  "3F800000",
  "BF800000",
  "00000001",
  "007FFFFF",
  "00800000",
  "7F7FFFFF",
  "7F800000",
  "40490FDB",
  "3EAAAAAB",
  "C2C80000",
  "4B800001",
  "3F7FFFFF",
];

const ODD_DOUBLES = [
  "0000000000000000",
  "8000000000000000",
  "3FF0000000000000",
  "BFF0000000000000",
  "0000000000000001",
  "0010000000000000",
  "7FEFFFFFFFFFFFFF",
  "7FF0000000000000",
  "400921FB54442D18",
  "3FD5555555555555",
  "C059000000000000",
];

export class Builder {
  readonly random: Random;
  readonly lines: string[] = [];
  /** Registers that hold a value on every way, and may be written. */
  readonly variables: Readonly<Record<RegisterClass, string[]>> = {
    b16: [],
    b32: [],
    b64: [],
    f32: [],
    f64: [],
    pred: [],
  };
  /** Registers that may be read only; those of 32 bits that all threads of the block agree on. */
  readonly uniforms: string[] = [];
  readonly #counts: Record<RegisterClass, number> = { b16: 0, b32: 0, b64: 0, f32: 0, f64: 0, pred: 0 };
  readonly #labelPrefix: string;
  #labelCount = 0;
  /** Instructions of a thread so far at most, with loops counted as often as they can run. */
  spent = 0;
  /** How often the present place runs at most. */
  times = 1;

  constructor(random: Random, labelPrefix: string) {
    this.random = random;
    this.#labelPrefix = labelPrefix;
  }

  register(type: RegisterClass): string {
    return PREFIXES[type] + this.#counts[type]++;
  }

  /** A new variable. Whoever makes it writes it at once. */
  variable(type: RegisterClass): string {
    const name = this.register(type);
    this.variables[type].push(name);
    return name;
  }

  label(): string {
    return `$${this.#labelPrefix}_${this.#labelCount++}`;
  }

  emit(text: string): void {
    this.lines.push(`  ${text}`);
    this.spent += this.times;
  }

  place(label: string): void {
    this.lines.push(`${label}:`);
  }

  /** A line that is no instruction. */
  directive(text: string): void {
    this.lines.push(`  ${text}`);
  }

  declarations(): string[] {
    return CLASSES.filter((type) => this.#counts[type] > 0).map((type) =>
      `  .reg .${type} ${PREFIXES[type]}<${this.#counts[type]}>;`
    );
  }

  source(type: RegisterClass): string {
    if (type === "b32" && this.uniforms.length > 0 && this.random.percent(15)) {
      return this.random.pick(this.uniforms);
    }
    return this.random.pick(this.variables[type]);
  }

  immediate(type: RegisterClass): string {
    const { random } = this;
    switch (type) {
      case "b16":
        return String(random.between(0, 127));
      case "f32":
        if (random.percent(60)) return `0f${random.pick(ODD_SINGLES)}`;
        return `0f${hex(random.bits(), 8)}`;
      case "f64":
        if (random.percent(60)) return `0d${random.pick(ODD_DOUBLES)}`;
        return `0d${hex(random.bits(), 8)}${hex(random.bits(), 8)}`;
      case "b64":
        if (random.percent(30)) return `0x${hex(random.bits(), 8)}${hex(random.bits(), 8)}`;
        return random.pick(ODD_INTEGERS);
      default:
        return random.percent(60) ? random.pick(ODD_INTEGERS) : `0x${hex(random.bits(), 8)}`;
    }
  }

  /**
   * Writes a template: instructions separated by `;`, with holes.
   *
   * `<=b32>` a variable to write, no two alike in one template; `<=b32#a>` the same one each time.
   * `<b32>` something to read, `<b32i>` that or a constant, `<b32#a>` the variable that `<=b32#a>` names.
   * `<t:b32:x>` a temporary, `<n:0:31>` a number, `<l:x>` a label, `<a|b|c>` one of the words.
   */
  expand(template: string, guard = ""): void {
    const holes = new Map<string, string>();
    const written = new Set<string>();
    for (const part of template.split(";")) {
      const text = part.trim().replace(/<([^<>]*)>/g, (_, hole: string) => this.#fill(hole, holes, written));
      if (text === "") continue;
      if (text.endsWith(":")) this.place(text.slice(0, -1));
      else this.emit(`${guard}${text};`);
    }
  }

  #fill(hole: string, holes: Map<string, string>, written: Set<string>): string {
    if (hole.includes("|")) return this.random.pick(hole.split("|"));
    const [kind = "", first = "", second = ""] = hole.split(":");
    if (kind === "n") return String(this.random.between(Number(first), Number(second)));
    if (kind === "t" || kind === "l") {
      return known(holes, hole, () => kind === "l" ? this.label() : this.register(first as RegisterClass));
    }
    const isTarget = hole.startsWith("=");
    const [word = "", name] = (isTarget ? hole.slice(1) : hole).split("#");
    const isImmediate = word.endsWith("i");
    const type = (isImmediate ? word.slice(0, -1) : word) as RegisterClass;
    if (isTarget) {
      return known(holes, name === undefined ? `${hole} ${written.size}` : `#${name}`, () => {
        const free = this.variables[type].filter((each) => !written.has(each));
        const picked = this.random.pick(free);
        written.add(picked);
        return picked;
      });
    }
    if (name !== undefined) return known(holes, `#${name}`, () => this.source(type));
    return isImmediate && this.random.percent(35) ? this.immediate(type) : this.source(type);
  }
}

function known(holes: Map<string, string>, key: string, make: () => string): string {
  const present = holes.get(key);
  if (present !== undefined) return present;
  const made = make();
  holes.set(key, made);
  return made;
}

function hex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, "0");
}
