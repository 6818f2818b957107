const UNITS = ["kilobyte", "megabyte", "gigabyte", "terabyte"] as const;

/** Formats a size as "12.3 MB", in powers of 1,000. */
export function formatBytes(bytes: number): string {
  return format(bytes, "");
}

/** Formats a rate as "12.3 MB/s", in powers of 1,000. */
export function formatRate(bytesPerSecond: number): string {
  return format(bytesPerSecond, "-per-second");
}

function format(bytes: number, per: "" | "-per-second"): string {
  let value = bytes;
  let unit: (typeof UNITS)[number] | "byte" = "byte";
  for (const next of UNITS) {
    if (value < 1_000) break;
    value /= 1_000;
    unit = next;
  }
  const digits = unit === "byte" ? 0 : 1;
  return value.toLocaleString(undefined, {
    style: "unit",
    unit: unit + per,
    unitDisplay: unit === "byte" ? "long" : "short",
    // Always the same number of digits, so that a figure that changes does not move.
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}
