import { expect, test } from "vitest";
import { parseServerAddress } from "./server-address.ts";

test.each([
  ["http://localhost:8080", "http://localhost:8080/"],
  ["https://rollcall.example.com/", "https://rollcall.example.com/"],
  [" http://127.0.0.1:8080\n", "http://127.0.0.1:8080/"],
  ["http://[::1]:8080", "http://[::1]:8080/"],
  ["HTTPS://Rollcall.Example.com/team/rollcall/", "https://rollcall.example.com/team/rollcall/"],
  ["https://b\u00fccher.example", "https://xn--bcher-kva.example/"],
  ["https://example.com/@team", "https://example.com/@team"],
])("%j is an address", (address, href) => {
  expect(parseServerAddress(address).href).toBe(href);
});

const START = "must begin with http:// or https:// and a host";

test.each([
  ["", START],
  [" ", START],
  ["nowhere", START],
  ["/", START],
  ["//localhost", START],
  ["http://", START],
  ["localhost:8080", START],
  ["127.0.0.1:8080", START],
  ["[::1]:8080", START],
  ["ftp://localhost", START],
  ["ws://localhost:8080", START],
  ["http:localhost:8080", START],
  ["http:/localhost:8080", START],
  ["http:///localhost:8080", START],
  ["http://[::1", "has a host or a port that can't be"],
  ["http://localhost:80800", "has a host or a port that can't be"],
  ["http:\\\\localhost:8080", "backslashes"],
  ["http://local\nhost", "line breaks"],
  ["http://localhost/a b", "spaces"],
  ["http://localhost:8080?", "begins with ?"],
  ["http://localhost:8080/?x=1", "begins with ?"],
  ["http://localhost:8080#", "begins with #"],
  ["http://localhost:8080//", "must not have // in its path"],
  ["http://localhost:8080/a//b", "must not have // in its path"],
  ["http://localhost:8080/caf\uFFFD", "is not in UTF-8"],
  ["http://ada@localhost:8080", "must not have a user name"],
  ["http://@localhost:8080", "must not have a user name"],
])("%j is refused with a reason", (address, problem) => {
  expect(() => parseServerAddress(address)).toThrow(TypeError);
  expect(() => parseServerAddress(address)).toThrow(problem);
});

test.each([
  [undefined, "undefined"],
  [null, "null"],
  [new URL("https://example.com"), "object"],
  [8080, "number"],
] as [unknown, string][])(
  "%j, which programs in JavaScript may pass, is refused with the option's name",
  (address, type) => {
    const parse = () => parseServerAddress(address as string);
    expect(parse).toThrow(TypeError);
    expect(parse).toThrow(`baseUrl must be a string, such as "https://rollcall.example.com", but it is ${type}`);
  },
);

test.each([
  "https://ada:hunter2@example.com",
  "https://ada:hun/ter2@example.com",
  "https://ada:hun#ter2@example.com",
  "ftp://ada:hunter2@example.com",
  "ada:hunter2@example.com",
  "https://example.com/?token=hunter2",
  "https://example.com/#token=hunter2",
])("the error for %j does not quote the secret", (address) => {
  expect(() => parseServerAddress(address)).toThrow(/^(?!.*ter2)/s);
});
