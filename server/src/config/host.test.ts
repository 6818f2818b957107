import { createReader } from "@rollcall/shared/settings/reader";
import { expect, test } from "vitest";
import { isLoopback, parseHost } from "./host.ts";

test.each<[string, string | undefined, string?]>([
  ["", "localhost"],
  ["LocalHost", "localhost"],
  ["127.0.0.1", "127.0.0.1"],
  ["0.0.0.0", "0.0.0.0"],
  ["::", "::"],
  ["::1", "::1"],
  ["fe80::1%Ethernet0", "fe80::1%Ethernet0"],
  ["rollcall.example.com", "rollcall.example.com"],
  ["[::1]", undefined, ", without brackets: ::1"],
  ["[::]", undefined, ", without brackets: ::"],
  ["[::1]:8080", undefined, ", without brackets: ::1; the port is set by PORT"],
  ["localhost:8080", undefined, " alone; the port is set by PORT"],
  ["http://localhost", undefined, " alone, without http://"],
  ["http://[::1]:8080", undefined, " alone, without http://"],
  ["*", undefined, "; 0.0.0.0 or :: stand for all addresses of this machine"],
  ["a b", undefined, ""],
  ["[example]", undefined, ""],
  ["::1,127.0.0.1", undefined, ""],
  ["-", undefined, ""],
])("HOST=%s is %j", (text, host, hint) => {
  const problems: string[] = [];
  expect(parseHost(createReader({ HOST: text }, problems), problems)).toBe(host);
  expect(problems).toEqual(hint === undefined ? [] : [`HOST: must be a host name or an IP address${hint}`]);
});

test.each([
  ["localhost", true],
  ["127.0.0.1", true],
  ["127.1.2.3", true],
  ["::1", true],
  ["0:0:0:0:0:0:0:1", true],
  ["0000::0001", true],
  ["::", false],
  ["0.0.0.0", false],
  ["::2", false],
  ["::ffff:127.0.0.1", false],
  ["fe80::1%eth0", false],
  ["127.evil.example", false],
  ["example.com", false],
])("whether %s is this machine alone: %j", (host, expected) => {
  expect(isLoopback(host)).toBe(expected);
});
