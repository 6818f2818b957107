import { heldBytes } from "@rollcall/testing/memory";
import { expect, test } from "vitest";
import { heldDuringUpload, uploadTransports } from "./support/upload-memory.ts";

const MIB = 1024 ** 2;

test("who keeps what was uploaded is seen by how memory is measured", () => {
  const before = heldBytes();
  const kept = Array.from({ length: 24 }, () => new Uint8Array(MIB));
  expect(heldBytes() - before).toBeGreaterThan(kept.length * MIB - MIB);
});

test.each(uploadTransports)(
  "an upload over %s takes no more memory than what is under way",
  async (_, createTransport) => {
    expect(await heldDuringUpload(createTransport, 24 * MIB)).toBeLessThan(8 * MIB);
  },
);
