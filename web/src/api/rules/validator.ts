import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator } from "@bufbuild/protovalidate";
import { regexMatch } from "@rollcall/shared/regex-match";
import { type FieldErrors, groupByField } from "../errors.ts";

const validator = createValidator({ regexMatch });

/**
 * Checks a message by the rules in its contract, as the server does. Large: import it
 * only when there is something to check.
 */
export function validateMessage<M extends DescMessage>(schema: M, init: MessageInitShape<M>): FieldErrors {
  const result = validator.validate(schema, create(schema, init));
  if (result.kind === "error") throw result.error;
  const { violations = [] } = result;
  return groupByField(
    violations.map(({ field, ruleId, message }) => ({
      // The id of a rule over the whole message starts with the field that it blames, as on the server.
      field: field.length > 0 ? pathToString(field) : ruleId.split(".", 1).join(),
      message,
    })),
  );
}
