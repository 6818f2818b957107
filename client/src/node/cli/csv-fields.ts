const QUOTED = /"([^"]*(?:""[^"]*)*)"(?=,|$)/y;
const OPEN = /"[^"]*(?:""[^"]*)*$/y;
const PLAIN = /[^,]*/y;

/**
 * The fields of one CSV record (RFC 4180); undefined when the record ends inside of a
 * quoted field, which then goes on with the next line. A quote that neither begins nor
 * ends a field is a character like any other.
 */
export function csvFields(record: string): string[] | undefined {
  const fields: string[] = [];
  for (let start = 0; start <= record.length; start += 1) {
    const quoted = matchAt(QUOTED, record, start);
    if (!quoted && matchAt(OPEN, record, start)) return undefined;
    const [text = "", content] = quoted ?? matchAt(PLAIN, record, start) ?? [];
    fields.push(content?.replaceAll('""', '"') ?? text);
    start += text.length;
  }
  return fields;
}

function matchAt(pattern: RegExp, text: string, index: number): RegExpExecArray | null {
  pattern.lastIndex = index;
  return pattern.exec(text);
}
