/**
 * Options: the words of a command line, by the options that a command has.
 *
 * Owns what is said of a wrong one: which word, and what was likely meant. What an option's value means is its
 * command's. Invariant: nothing that was typed is ignored.
 */
import { parseArgs, type ParseArgsConfig } from "node:util";
import { nearest } from "../setting_value.ts";

/** The options of a command, by name. */
export type OptionTable = NonNullable<ParseArgsConfig["options"]>;

/** What was typed. */
export interface ParsedOptions {
  readonly values: Readonly<Record<string, string | boolean | undefined>>;
  readonly words: readonly string[];
}

/**
 * Reads a command line: `--name value`, `--name=value`, `--name`, and words, as many as there are.
 *
 * @throws Error for an option that is not in the table, or whose value is missing or not wanted
 */
export function parseOptions(args: readonly string[], options: OptionTable): ParsedOptions {
  const { tokens } = parseArgs({ args: [...args], options, strict: false, tokens: true });
  const values: Record<string, string | boolean> = {};
  const words: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") words.push(token.value);
    if (token.kind !== "option") continue;
    const { name, rawName, value, inlineValue } = token;
    const type = Object.hasOwn(options, name) ? options[name]?.type : undefined;
    if (type === undefined) throw new Error(`Unknown option ${rawName}${meant(name, options)}`);
    if (type === "boolean" && value !== undefined) throw new Error(`${rawName} takes no value`);
    if (type === "string" && value === undefined) throw new Error(`${rawName} takes a value, got none`);
    // More likely the value was forgotten; what is meant so can be written with "=".
    if (value?.startsWith("-") === true && value !== "-" && !inlineValue) {
      throw new Error(
        `${rawName} takes a value, got the option ${value}; a value like it: ${rawName}=${value}`,
      );
    }
    values[name] = value ?? true;
  }
  return { values, words };
}

function meant(name: string, options: OptionTable): string {
  return nearest(`--${name}`, Object.keys(options).map((known) => `--${known}`), 4);
}
