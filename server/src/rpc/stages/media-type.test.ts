import { expect, test } from "vitest";
import { mediaTypeOf } from "./media-type.ts";

test.each([
  "application/json",
  "APPLICATION/Json",
  " application/json\t",
  'application/json;charset="utf-8"',
  "application/json ; charset=utf-8",
  "application/json;charset=UTF8",
  "application/json; v=1",
  "application/json;",
  "application/json;;  ; v=1 ;",
  'application/json; a="; charset=latin1"',
  'application/json; a="\\";charset=latin1"; charset="ut\\f-8"',
  "application/json; xcharset=latin1",
])("%j is application/json", (contentType) => {
  expect(mediaTypeOf(contentType)).toBe("application/json");
});

test.each([
  "",
  "json",
  "application/",
  "/json",
  "application/json, text/plain",
  "application/json charset=utf-8",
  "application/json; charset",
  "application/json; charset=",
  "application/json; charset = utf-8",
  'application/json; charset="utf-8',
  "application/json; charset=latin1",
  'application/json; CHARSET="iso-8859-1"',
  "application/json; charset=utf-8; charset=utf-16",
])("%j is no media type, or has another charset", (contentType) => {
  expect(mediaTypeOf(contentType)).toBe(undefined);
});

test("a type keeps its subtype's suffix", () => {
  expect(mediaTypeOf("application/grpc-web+Proto; charset=utf-8")).toBe("application/grpc-web+proto");
});

test("a header of blanks and semicolons takes no longer than one of letters", () => {
  const time = (contentType: string) => {
    // Measure processor time, so that other work on the machine does not matter.
    const startedAt = process.threadCpuUsage();
    for (let i = 0; i < 50; i++) mediaTypeOf(contentType);
    const { user, system } = process.threadCpuUsage(startedAt);
    return (user + system) / 1_000;
  };
  const control = time(`application/json; a="${"x".repeat(16_000)}" x`);
  for (const filler of [" ;", "; ", "  ;  ", ";a=b ", ' ;a="b"  ']) {
    const contentType = `application/json${filler.repeat(16_000 / filler.length)}(`;
    expect(mediaTypeOf(contentType)).toBe(undefined);
    expect(time(contentType)).toBeLessThan(100 * control + 1_000);
  }
});
