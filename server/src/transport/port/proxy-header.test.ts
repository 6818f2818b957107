import { expect, test } from "vitest";
import { parseProxyHeader } from "./proxy-header.ts";

const whole = (bytes: number, address?: string, port = 0) => ({
  state: "whole",
  bytes,
  source: address === undefined ? undefined : { address, port },
});

/** A header of version 2: command, family, and addresses and extensions in hexadecimal. */
function v2(command: number, family: number, rest: string): Buffer {
  const body = Buffer.from(rest.replaceAll(" ", ""), "hex");
  const head = Buffer.from("0d0a0d0a000d0a515549540a00000000", "hex");
  head.writeUInt8(command, 12);
  head.writeUInt8(family, 13);
  head.writeUInt16BE(body.length, 14);
  return Buffer.concat([head, body]);
}

const v6 = "20010db8000000000000000000000001".repeat(2);
test.each([
  [Buffer.from("PROXY TCP4 192.0.2.1 198.51.100.2 4711 443\r\n"), whole(44, "192.0.2.1", 4711)],
  [Buffer.from("PROXY TCP6 2001:db8::1 ::1 4711 443\r\n"), whole(37, "2001:db8::1", 4711)],
  [Buffer.from("PROXY UNKNOWN whatever\r\n"), whole(24)],
  [v2(0x21, 0x11, "c0000201 c6336402 1267 01bb"), whole(28, "192.0.2.1", 4711)],
  [v2(0x21, 0x11, "c0000201 c6336402 1267 01bb 040004deadbeef"), whole(35, "192.0.2.1", 4711)],
  [v2(0x21, 0x21, `${v6} 1267 01bb`), whole(52, "2001:db8:0:0:0:0:0:1", 4711)],
  [v2(0x20, 0x00, ""), whole(16)],
  [v2(0x20, 0x11, "c0000201 c6336402 1267 01bb"), whole(28)],
])("a header is read, whatever stands behind it, and however it is cut", (header, expected) => {
  expect(parseProxyHeader(header)).toEqual(expected);
  expect(parseProxyHeader(Buffer.concat([header, Buffer.from("GET / HTTP/1.1\r\n")]))).toEqual(expected);
  for (let length = 0; length < header.length; length++) {
    expect(parseProxyHeader(header.subarray(0, length))).toEqual({ state: "incomplete" });
  }
});

test.each([
  Buffer.from("GET / HTTP/1.1\r\n"),
  Buffer.from("PROXY TCP4 192.0.2.1\r\n"),
  Buffer.from("PROXY TCP4 2001:db8::1 ::1 4711 443\r\n"),
  Buffer.from("PROXY TCP4 192.0.2.1 198.51.100.2 x 443\r\n"),
  Buffer.from("PROXY UDP4 192.0.2.1 198.51.100.2 1 2\r\n"),
  Buffer.from(`PROXY UNKNOWN ${"a".repeat(200)}`),
  Buffer.from([0x16, 3, 1]),
  v2(0x31, 0x11, "c0000201 c6336402 1267 01bb"),
  v2(0x21, 0x11, "c0000201"),
  v2(0x21, 0x31, "00".repeat(216)),
  v2(0x21, 0x11, "00".repeat(5_000)),
])("anything else is invalid: %s", (bytes) => {
  expect(parseProxyHeader(bytes)).toEqual({ state: "invalid" });
});
