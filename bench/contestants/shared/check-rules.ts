import { create, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { createValidator } from "@bufbuild/protovalidate";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";

const validator = createValidator();
const methods = [...UserService.methods, ...StreamService.methods];
const inputs = new Map<string, DescMessage>(methods.map(({ name, input }) => [name, input]));

/** Checks a plain request, as protobufjs decodes it, against the rules in the contract. @throws Error when one is broken. */
export function checkRules(method: string, request: object): void {
  const schema = inputs.get(method);
  if (!schema) throw new Error(`there is no method ${method}`);
  const result = validator.validate(schema, create(schema, request as MessageInitShape<DescMessage>));
  if (result.kind !== "valid") throw result.error;
}
