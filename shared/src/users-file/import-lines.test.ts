import { expect, test } from "vitest";
import type { FileFormat } from "./file-format.ts";
import { type ImportLine, readImport } from "./import-lines.ts";

/** Reads a file with these bytes. They arrive in chunks of one byte, since the result must not depend on chunks. */
async function read(content: string | Buffer, format: FileFormat): Promise<ImportLine[]> {
  const bytes = Buffer.from(content);
  async function* inOne() {
    yield bytes;
  }
  async function* byteByByte() {
    for (const byte of bytes) yield Uint8Array.of(byte);
  }
  const lines = await Array.fromAsync(readImport(inOne(), format));
  expect(await Array.fromAsync(readImport(byteByByte(), format))).toEqual(lines);
  return lines;
}

const latin1 = (text: string) => Buffer.from(text, "latin1");
const NOT_UTF8 = "is not UTF-8: convert it to UTF-8";
const CR_ALONE = "end with CR alone: save it with LF or CR LF";

test("a CSV line that is not UTF-8 is refused by its number, and the others are read", async () => {
  expect(await read(latin1("email,name\na@x.com,Ren\u00e9\nb@x.com,Bob\n"), "csv")).toEqual([
    { line: 2, lastLine: 2, problem: NOT_UTF8 },
    { line: 3, lastLine: 3, email: "b@x.com", name: "Bob" },
  ]);
});

test("a record of several lines that is not UTF-8 is refused as a whole", async () => {
  const inFirst = 'email,name\na@x.com,"Ren\u00e9\nb@x.com,Bob"\nc@x.com,Cyd\n';
  const inSecond = 'email,name\na@x.com,"Rene\nb@x.com,Bj\u00f6rn"\nc@x.com,Cyd\n';
  for (const content of [inFirst, inSecond]) {
    expect(await read(latin1(content), "csv")).toEqual([
      { line: 2, lastLine: 3, problem: NOT_UTF8 },
      { line: 4, lastLine: 4, email: "c@x.com", name: "Cyd" },
    ]);
  }
  // The control.
  expect(await read(inFirst, "csv")).toMatchObject([{ name: "Ren\u00e9\nb@x.com,Bob" }, { name: "Cyd" }]);
});

test("a JSON line that is not UTF-8 is refused by its number, and the others are read", async () => {
  const content = '{"email":"a@x.com","name":"Ren\u00e9"}\n{"email":"b@x.com","name":"Bob"}\n';
  const bob = { line: 2, lastLine: 2, email: "b@x.com", name: "Bob" };
  expect(await read(latin1(content), "jsonl")).toEqual([{ line: 1, lastLine: 1, problem: NOT_UTF8 }, bob]);
  expect(await read(content, "jsonl")).toEqual([{ line: 1, lastLine: 1, email: "a@x.com", name: "Ren\u00e9" }, bob]);
});

test("U+FFFD in valid UTF-8 is a character like any other, also after a byte order mark", async () => {
  expect(await read("\uFEFFemail,name\na@x.com,Ren\uFFFD\n", "csv")).toMatchObject([{ name: "Ren\uFFFD" }]);
});

test("UTF-16 is refused by its name, with a byte order mark and without", async () => {
  const texts = { csv: "email,name\na@x.com,Ada\n", jsonl: '{"email":"a@x.com","name":"Ada"}\n' };
  for (const format of ["csv", "jsonl"] as const) {
    for (const mark of ["\uFEFF", ""]) {
      const littleEndian = Buffer.from(mark + texts[format], "utf16le");
      await expect(read(littleEndian, format)).rejects.toThrow("the file is UTF-16LE: convert it to UTF-8, as iconv");
      const bigEndian = Buffer.from(littleEndian).swap16();
      await expect(read(bigEndian, format)).rejects.toThrow("the file is UTF-16BE: convert it to UTF-8, as iconv");
    }
  }
});

test("lines that end with CR alone are refused, however long the file is", async () => {
  const rows = Array.from({ length: 3_000 }, (_, index) => `user${index}@x.com,User ${index},team`);
  await expect(read(`email,name,team\r${rows[0]}\r`, "csv")).rejects.toThrow(CR_ALONE);
  await expect(read(`email,name,team\r${rows.join("\r")}`, "csv")).rejects.toThrow(CR_ALONE);
  const objects = rows.map((row) => JSON.stringify({ email: row, name: row }));
  await expect(read(objects.slice(0, 2).join("\r"), "jsonl")).rejects.toThrow(CR_ALONE);
  await expect(read(objects.join("\r"), "jsonl")).rejects.toThrow(CR_ALONE);
  // CR LF is accepted, and so is a CR between the members of an object.
  expect(await read(`email,name\r\n${rows.slice(0, 2).join("\r\n")}\r\n`, "csv")).toHaveLength(2);
  expect(await read('{"email":"a@x.com",\r"name":"Ada"}\r\n', "jsonl")).toMatchObject([{ name: "Ada" }]);
});

test("a CR within a line can't hide a row in a skipped column, unless it is quoted", async () => {
  const content = 'email,name,team\na@x.com,Ada,one\rb@x.com,Bob,two\nc@x.com,Cyd,"o\rne"\n';
  expect(await read(content, "csv")).toEqual([
    { line: 2, lastLine: 2, problem: "has a CR that ends no line" },
    { line: 3, lastLine: 3, email: "c@x.com", name: "Cyd" },
  ]);
});

test("the first line of CSV that is not UTF-8 or too long is refused as such", async () => {
  await expect(read(latin1("email,name,stra\u00dfe\n"), "csv")).rejects.toThrow(
    `the first line of the CSV file ${NOT_UTF8}`,
  );
  await expect(read(`email,name,${"x".repeat(70_000)}\n`, "csv")).rejects.toThrow("is longer than 64 KiB");
});

test("an object with e-mail or name twice is refused", async () => {
  const lines = [
    '{"email":"a@x.com","name":"Ada","n\\u0061me":"Bob"}',
    '{"email":"a@x.com","name":"Ada","email":"b@x.com"}',
    '{"email":"a@x.com","name":"Ada","other":{"email":"b@x.com"},"note":1,"note":2}',
  ];
  expect(await read(lines.join("\n"), "jsonl")).toEqual([
    { line: 1, lastLine: 1, problem: "has name twice" },
    { line: 2, lastLine: 2, problem: "has email twice" },
    { line: 3, lastLine: 3, email: "a@x.com", name: "Ada" },
  ]);
});
