import { BlockList, isIP } from "node:net";
import { describe, expect, test } from "vitest";
import { addToBlockList } from "./addresses.ts";
import { ForwardedCallers } from "./forwarded.ts";

const proxies = new BlockList();
for (const entry of ["10.0.0.0/8", "2001:db8:ffff::/48"]) addToBlockList(proxies, entry);

/** Other end of the connection. */
const PROXY = "10.0.0.1:4000";

function callerOf(headers: Record<string, string>) {
  const isTrusted = (address: string) => proxies.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
  return new ForwardedCallers({ peer: PROXY, address: undefined }, isTrusted).callerOf(headers);
}

describe("X-Forwarded-For names", () => {
  test.each([
    ["one address", "192.0.2.1", "192.0.2.1", "192.0.2.1"],
    ["the last of several", "198.51.100.7, 192.0.2.1", "192.0.2.1", "192.0.2.1"],
    ["the last ahead of trusted proxies", "198.51.100.7, 192.0.2.1 ,10.2.3.4,10.0.0.9", "192.0.2.1", "192.0.2.1"],
    ["an address and its port", "192.0.2.1:4711", "192.0.2.1:4711", "192.0.2.1"],
    ["an IPv6 address", "2001:db8::1", "[2001:db8::1]", "2001:db8:0:0::/64"],
    ["an IPv6 address and its port", "[2001:db8::1]:4711", "[2001:db8::1]:4711", "2001:db8:0:0::/64"],
    ["the last ahead of an IPv6 proxy", "192.0.2.1, 2001:db8:ffff::2", "192.0.2.1", "192.0.2.1"],
    ["a trusted address, when there is no other", "10.7.7.7", "10.7.7.7", undefined],
  ])("%s", (_name, header, peer, address) => {
    expect(callerOf({ "x-forwarded-for": header })).toEqual({ peer, address, proxy: PROXY });
  });
});

test.each([
  ["for=192.0.2.1", "192.0.2.1"],
  ["For=192.0.2.1;Proto=https;by=203.0.113.43", "192.0.2.1"],
  ['proto=https; for="[2001:db8::1]:4711"', "[2001:db8::1]:4711"],
  ["for=198.51.100.7, for=192.0.2.1, for=10.1.1.1", "192.0.2.1"],
  // A client may leave a quote open to hide the part that its proxy adds.
  ['for="198.51.100.7, for=192.0.2.1', "192.0.2.1"],
  ['for=198.51.100.7;x="a, for=192.0.2.1;by="[::1]:80"', "192.0.2.1"],
])("Forwarded: %s", (header, peer) => {
  expect(callerOf({ forwarded: header }).peer).toBe(peer);
});

test.each([
  ["unknown", PROXY],
  ["", PROXY],
  ["192.0.2.1, _hidden", PROXY],
  ["192.0.2.1, unknown, 10.0.0.9", "10.0.0.9"],
  ['192.0.2.1"\n', PROXY],
  ["fe80::1%eth0", PROXY],
  ["[192.0.2.1]", PROXY],
  ["999.1.1.1", PROXY],
])("an entry that is no address leaves its proxy: %j", (header, peer) => {
  expect(callerOf({ "x-forwarded-for": header })).toMatchObject({ peer, address: undefined });
});

test("X-Forwarded-For counts where both are there, and the walk has an end", () => {
  expect(callerOf({ "x-forwarded-for": "192.0.2.1", forwarded: "for=198.51.100.7" }).peer).toBe("192.0.2.1");
  const hops = Array.from({ length: 4_000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
  expect(callerOf({ "x-forwarded-for": hops.join() }).peer).toBe(hops.at(-16));
});
