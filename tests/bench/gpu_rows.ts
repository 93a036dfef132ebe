/**
 * Rows of deno task bench:gpu: one measured value each, beside the C program's or a target.
 *
 * Owns their shape, their table and their JSON. It measures nothing. Invariant: numbers of a stand-in for the
 * driver are never held against a target, and say what they are.
 */

/** What a value is held against: the other value times a factor, or a number. */
export interface Target {
  readonly kind: "atMost" | "atLeast";
  readonly value: number;
  /** Whether `value` is a factor of `beside`, not a number of its own. */
  readonly isRatio: boolean;
}

/** One value. */
export interface Row {
  readonly name: string;
  readonly unit: string;
  readonly ours: number;
  /** What it stands beside: the C program's value, or another way of the same. */
  readonly beside?: { readonly what: string; readonly value: number };
  readonly target?: Target;
  /** Why there is no value: then `ours` is NaN. */
  readonly missing?: string;
}

/** Where rows were measured. */
export interface Place {
  /** ISO 8601. */
  readonly date: string;
  readonly device: string;
  readonly driver: string;
  /** The driver is tests/gpu/cuda/fake_cuda.c: nothing was measured. */
  readonly isStandIn: boolean;
}

const STAND_IN = "stand-in driver, not a GPU: these numbers measure nothing";

/** `{ kind, value, isRatio }` of "at most 1.5 × the other". */
export function atMostTimes(value: number): Target {
  return { kind: "atMost", value, isRatio: true };
}

/** "At least 0.8 × the other". */
export function atLeastTimes(value: number): Target {
  return { kind: "atLeast", value, isRatio: true };
}

/** "At most so many". */
export function atMost(value: number): Target {
  return { kind: "atMost", value, isRatio: false };
}

/** "At least so many". */
export function atLeast(value: number): Target {
  return { kind: "atLeast", value, isRatio: false };
}

/** Whether a row is within its target; undefined where it has none, or nothing to be held against. */
export function isMet({ ours, beside, target }: Row): boolean | undefined {
  if (target === undefined || !Number.isFinite(ours)) return undefined;
  const value = target.isRatio ? beside && ours / beside.value : ours;
  if (value === undefined || Number.isNaN(value)) return undefined;
  return target.kind === "atMost" ? value <= target.value : value >= target.value;
}

/** The rows as lines of a table, a title before them. */
export function tableOf(place: Place, rows: readonly Row[]): string {
  const title = `${place.date.slice(0, 10)} | ${place.device} | ${place.driver}`;
  const lines = rows.map((row) => lineOf(row, place.isStandIn));
  const widths = [0, 1, 2].map((column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const text = lines.map(([name = "", value = "", ratio = "", verdict = ""]) => {
    const [first = 0, second = 0, third = 0] = widths;
    return `${name.padEnd(first)}  ${value.padStart(second)}  ${ratio.padEnd(third)}  ${verdict}`.trimEnd();
  });
  return [place.isStandIn ? `${title} | ${STAND_IN}` : title, ...text].join("\n");
}

/** The same for machines. */
export function jsonOf(place: Place, rows: readonly Row[]): string {
  const more = place.isStandIn ? { warning: STAND_IN } : {};
  const told = rows.map((row) => {
    const met = place.isStandIn ? undefined : isMet(row);
    return { ...row, ...(met === undefined ? {} : { met }) };
  });
  return `${JSON.stringify({ ...place, ...more, rows: told }, null, 2)}\n`;
}

function lineOf(row: Row, isStandIn: boolean): readonly string[] {
  const { name, unit, ours, beside, target, missing } = row;
  if (missing !== undefined) return [name, "-", "", missing];
  const ratio = beside === undefined
    ? ""
    : `${beside.what} ${digits(beside.value)}, ×${digits(ours / beside.value)}`;
  const met = isStandIn ? undefined : isMet(row);
  const verdict = met === undefined ? "" : met ? "met" : "NOT met";
  const wanted = target === undefined
    ? ""
    : `(target: ${target.kind === "atMost" ? "≤" : "≥"} ${
      target.isRatio ? "×" : ""
    }${target.value}) ${verdict}`;
  return [name, `${digits(ours)} ${unit}`, ratio, wanted];
}

function digits(value: number): string {
  return Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en-US") : value.toPrecision(4);
}
