import { expect, test } from "vitest";
import { heldDuringUpload, uploadTransports } from "./support/upload-memory.ts";

const MIB = 1024 ** 2;

test.each(uploadTransports)("an upload of 1 GiB over %s takes no more memory than a small one", async (_, create) => {
  expect(await heldDuringUpload(create, 1_024 * MIB)).toBeLessThan(8 * MIB);
});
