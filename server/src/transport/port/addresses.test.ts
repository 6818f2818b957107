import { BlockList } from "node:net";
import { describe, expect, test } from "vitest";
import { addressKey, addToBlockList } from "./addresses.ts";

describe("the key of an address", () => {
  test.each([
    ["192.0.2.1", "192.0.2.1"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:db8:1:2::", "2001:db8:1:2::/64"],
    ["2001:db8:0:2::9", "2001:db8:0:2::/64"],
    ["2001:db8::9", "2001:db8:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
  ])("%s is %s", (address, key) => {
    expect(addressKey(address)).toBe(key);
  });
});

describe("a list of addresses", () => {
  test("holds addresses and networks of both families", () => {
    const list = new BlockList();
    for (const entry of ["10.0.0.0/8", "192.0.2.1", "2001:db8::/32", "::1"]) {
      expect(addToBlockList(list, entry)).toBe(true);
    }
    const ipv4 = ["10.1.2.3", "192.0.2.1", "11.0.0.1", "192.0.2.2"];
    expect(ipv4.map((address) => list.check(address, "ipv4"))).toEqual([true, true, false, false]);
    const ipv6 = ["2001:db8:1::1", "::1", "::ffff:10.1.2.3", "2001:db9::1", "::2", "::ffff:11.0.0.1"];
    expect(ipv6.map((address) => list.check(address, "ipv6"))).toEqual([true, true, true, false, false, false]);
  });

  test.each(["localhost", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/8/8", "::1/129", "10.0.0", "/8", "", "fe80::1%lo"])(
    "does not take %j",
    (entry) => {
      expect(addToBlockList(new BlockList(), entry)).toBe(false);
    },
  );
});
