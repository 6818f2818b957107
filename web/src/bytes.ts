const UNITS = ["kilobyte", "megabyte", "gigabyte", "terabyte"] as const;

/** As "12.3 MB", in powers of 1,000. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit: (typeof UNITS)[number] | "byte" = "byte";
  for (const next of UNITS) {
    if (value < 1_000) break;
    value /= 1_000;
    unit = next;
  }
  const maximumFractionDigits = unit === "byte" ? 0 : 1;
  return value.toLocaleString(undefined, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits });
}
