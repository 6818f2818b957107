import { expect, test } from "vitest";
import { chooseCoding } from "./content-coding.ts";

test.each([
  ["gzip", "gzip"],
  ["GZip", "gzip"],
  ["x-gzip", "gzip"],
  ["br", "br"],
  // The server's order decides if the client has no preference.
  ["br, gzip", "gzip"],
  ["gzip, deflate, br, zstd", "zstd"],
  ["identity,deflate,gzip", "gzip"],
  ["gzip;q=0.5", "gzip"],
  ["gzip ; q=0.5 , br ; Q=0.7", "br"],
  ["br;q=1.000, gzip;q=0.999", "br"],
  ["br;q=0.001", "br"],
  ["*", "zstd"],
  ["*;q=0.5, br", "br"],
  ["zstd;q=0, *", "gzip"],
  ["gzip;q=0, zstd;q=0, *", "br"],
  ["identity;q=0.5, *;q=0.2", "identity"],
  ["identity;q=0, *;q=0.2", "zstd"],
  ["identity, gzip;q=0.9", "identity"],
  ["gzip;q=0", "identity"],
  ["gzip;q=0.0, br;q=0.000", "identity"],
  ["*;q=0", "identity"],
  ["identity;q=0", "identity"],
  ["", "identity"],
  [" , ,", "identity"],
  ["deflate, snappy", "identity"],
  ["gzip;q=2", "identity"],
  ["gzip;q=0.1234", "identity"],
  ["gzip;level=9", "identity"],
])("accepted %j: %s", (accepted, coding) => {
  expect(chooseCoding(accepted)).toBe(coding);
});
