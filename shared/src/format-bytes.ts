const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/**
 * Formats an amount of bytes for people, such as `1.5 MiB`: in powers of 1,024 (IEC 80000-13), like all limits and
 * settings.
 *
 * @param locale Locale of the number. Default: the reader's.
 */
export function formatBytes(bytes: number, locale?: string): string {
  const power = Math.min(UNITS.length - 1, bytes < 1 ? 0 : Math.floor(Math.log2(bytes) / 10));
  // Always show the same number of digits, so that a changing figure stays in place.
  const digits = power === 0 ? 0 : 1;
  const number = (bytes / 1_024 ** power).toLocaleString(locale, {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
    useGrouping: false,
  });
  return `${number} ${UNITS[power]}`;
}
