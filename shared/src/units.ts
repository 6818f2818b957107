const BYTES_BY_UNIT: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
  tib: 1024 ** 4,
};

const MS_BY_UNIT: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/**
 * Parses a size such as `4MiB` or `10 MB` to bytes: a kB is 1000 bytes and a KiB 1024 (IEC 80000-13). Returns undefined
 * for anything else, such as `10M`, which programs understand in two ways.
 */
export function parseSize(text: string): number | undefined {
  return parseQuantity(text, BYTES_BY_UNIT);
}

/**
 * Parses a duration such as `500ms`, `30s`, `5m`, `1.5h` or `7d` to milliseconds. Returns undefined for anything else.
 */
export function parseDuration(text: string): number | undefined {
  return parseQuantity(text, MS_BY_UNIT);
}

/** Parses a number with a unit, in upper or lower case, with or without a space between. Rounds to a whole number. */
function parseQuantity(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const [, amount, unit = ""] = /^(\d{1,12}(?:\.\d{1,6})?) ?([a-z]+)$/i.exec(text) ?? [];
  const factor = Object.hasOwn(units, unit.toLowerCase()) ? units[unit.toLowerCase()] : undefined;
  return amount === undefined || factor === undefined ? undefined : Math.round(Number(amount) * factor);
}
