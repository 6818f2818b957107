/**
 * Values that an option takes: one of some texts, a number that is not below the given one, or any value of a type. A
 * function returns the words for values of another kind, or false for a value that is one of them.
 */
export type Rule =
  | readonly string[]
  | number
  | "boolean"
  | "function"
  | "string"
  | ((value: unknown) => string | false);

/** Rules of options by their names. */
export type Rules<T> = { readonly [K in keyof T]?: Rule };

/** Most characters of a value in an error. */
const SHOWN_LENGTH = 60;

/**
 * Checks values that may come from the environment or from a program in JavaScript. Undefined counts as left out.
 *
 * @param prefix Beginning of the names in errors, such as "retry.".
 * @throws TypeError for a value that its rule does not take. It names the option and what it takes.
 */
export function checkOptions<T extends object>(options: T, rules: Rules<T>, prefix = ""): void {
  for (const name of Object.keys(rules) as (keyof T & string)[]) {
    const value = options[name];
    const fault = value !== undefined && faultOf(value, rules[name] as Rule);
    if (fault)
      throw new TypeError(`${prefix}${name} must be ${fault}, but it is ${show(value).slice(0, SHOWN_LENGTH)}`);
  }
}

/** Returns words for what the rule takes, or false if it takes the value. */
function faultOf(value: unknown, rule: Rule): string | false {
  if (typeof rule === "function") return rule(value);
  if (typeof rule === "string") return typeof value !== rule && `a ${rule}`;
  if (typeof rule === "number") return !(typeof value === "number" && value >= rule) && `a number of ${rule} or more`;
  return !rule.includes(value as string) && rule.map(show).join(" or ");
}

/** Returns an escaped text of a value. Shows no objects, whose properties can be secrets. */
function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  return Object(value) === value ? typeof value : String(value);
}
