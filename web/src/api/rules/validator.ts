import { create, createRegistry, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator } from "@bufbuild/protovalidate";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { regexMatch } from "@rollcall/shared/regex-match";
import { type FieldErrors, groupByField } from "../errors.ts";

const validator = createValidator({ regexMatch });
/** Contracts with their rules; the pages' own contracts leave these out. */
const contracts = createRegistry(StreamService.file, UserService.file);

/**
 * Checks a message of this app by the rules in its contract, as the server does. Large: import it only when there is
 * something to check.
 */
export function validateOwn(type: DescMessage, init: MessageInitShape<DescMessage>): FieldErrors {
  return validateMessage(contracts.getMessage(type.typeName) ?? type, init);
}

/** Checks a message by the rules that its type's descriptor has. */
export function validateMessage(type: DescMessage, init: MessageInitShape<DescMessage>): FieldErrors {
  const result = validator.validate(type, create(type, init));
  if (result.kind === "error") throw result.error;
  const { violations = [] } = result;
  return groupByField(
    violations.map(({ field, ruleId, message }) => ({
      // The id of a rule over the whole message starts with the name of the field concerned, as on the server.
      field: field.length > 0 ? pathToString(field) : ruleId.split(".", 1).join(),
      message,
    })),
  );
}
