import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import { createStandardSchema } from "@bufbuild/protovalidate";
import { type FieldErrors, groupByField } from "./errors.ts";

/**
 * What is wrong with a message by the rules in its contract, which are those that
 * the server checks. Large: import it only when there is something to check.
 */
export async function validateMessage<M extends DescMessage>(
  schema: M,
  init: MessageInitShape<M>,
): Promise<FieldErrors> {
  const { issues = [] } = await createStandardSchema(schema)["~standard"].validate(create(schema, init));
  return groupByField(issues.map(({ path = [], message }) => ({ field: path.join("."), message })));
}
