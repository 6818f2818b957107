import type { MethodOptions_IdempotencyLevel as Level } from "@bufbuild/protobuf/wkt";

/**
 * Idempotency level of methods that only read. It comes from an enum of protobuf's own contract, which pages need for
 * nothing else.
 */
export const MethodOptions_IdempotencyLevel = { NO_SIDE_EFFECTS: 1 satisfies Level.NO_SIDE_EFFECTS } as const;
