const QUOTED = /"([^"]*(?:""[^"]*)*)"(?=,|$)/y;
const OPEN = /"[^"]*(?:""[^"]*)*$/y;
const PLAIN = /[^,]*/y;
const STAYS_OPEN = /^[^"]*(?:""[^"]*)*$/;
const CONTINUES = /^[^"]*(?:""[^"]*)*(?:$|"(?:,|$))/;

export interface CsvFields {
  readonly fields: readonly string[];
  /** Text of a last field that continues on the next line, from its quote on. */
  readonly open: string | undefined;
}

/**
 * Returns the fields of a CSV record (RFC 4180). A quote that neither begins nor ends a field is a character like any
 * other.
 */
export function csvFields(record: string): CsvFields {
  const fields: string[] = [];
  for (let start = 0; start <= record.length; start += 1) {
    const quoted = matchAt(QUOTED, record, start);
    const open = quoted ? null : matchAt(OPEN, record, start);
    if (open) return { fields, open: open[0] };
    const [text = "", content] = quoted ?? matchAt(PLAIN, record, start) ?? [];
    fields.push(content?.replaceAll('""', '"') ?? text);
    start += text.length;
  }
  return { fields, open: undefined };
}

/** Returns whether a line can continue an open field: its first single quote, if any, ends the field. */
export function continuesField(line: string): boolean {
  return CONTINUES.test(line);
}

/** Returns whether a field that was open before this line is still open after it. */
export function leavesFieldOpen(line: string): boolean {
  return STAYS_OPEN.test(line);
}

function matchAt(pattern: RegExp, text: string, index: number): RegExpExecArray | null {
  pattern.lastIndex = index;
  return pattern.exec(text);
}
