import type { MethodOptions_IdempotencyLevel as Level } from "@bufbuild/protobuf/wkt";

/** Level of methods that only read, in an enum of protobuf's own contract, which no page needs otherwise. */
export const MethodOptions_IdempotencyLevel = { NO_SIDE_EFFECTS: 1 satisfies Level.NO_SIDE_EFFECTS } as const;
