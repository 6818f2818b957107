import { create, type DescMessage, type DescService, type Message, ScalarType } from "@bufbuild/protobuf";
import { pathToString, reflect } from "@bufbuild/protobuf/reflect";
import { createValidator, type Violation } from "@bufbuild/protovalidate";
import type { Interceptor } from "@connectrpc/connect";
import { regexMatch } from "@rollcall/shared/regex-match";
import { watchStream } from "@rollcall/shared/watch-stream";
import { type FieldViolation, InvalidArgumentError } from "../../domain/errors.ts";
import { createQuickCheck, type QuickCheck } from "./quick-check.ts";

/** Shared validator. It compiles each rule of the contract once, which takes longer than many calls. */
const validator = createValidator({ regexMatch });

/** Checks a message against the rules in its contract. @throws InvalidArgumentError that lists all violations. */
export type Validate = (schema: DescMessage, message: Message) => void;

/**
 * Creates a check by the rules in the contract (protovalidate).
 *
 * @param services Services whose rules are compiled now, rather than during the first call.
 */
export function createValidate(services: readonly DescService[]): Validate {
  for (const { input } of services.flatMap(({ methods }) => methods)) validator.validate(input, exampleOf(input));
  const quickChecks = new Map<DescMessage, QuickCheck | undefined>();
  return (schema, message) => {
    if (!quickChecks.has(schema)) quickChecks.set(schema, createQuickCheck(schema));
    if (quickChecks.get(schema)?.(message)) return;
    const result = validator.validate(schema, message);
    if (result.kind === "error") throw result.error;
    if (result.kind === "invalid") throw toInvalidArgument(result.violations);
  };
}

/** Returns the names of a message's required fields: those whose zero values break a rule. */
export function findMissing(schema: DescMessage): ReadonlySet<string> {
  const { violations = [] } = validator.validate(schema, create(schema));
  const paths = violations.filter(({ field }) => field.length === 1).map(({ field }) => pathToString(field));
  return new Set(paths);
}

/** Checks every request message, in streams too, before its handler sees it. */
export function createValidationInterceptor(validate: Validate): Interceptor {
  return (next) => (request) => {
    const check = (message: Message) => validate(request.method.input, message);
    if (request.stream) return next({ ...request, message: watchStream(request.message, { onMessage: check }) });
    check(request.message);
    return next(request);
  };
}

/** Returns a message with a text in every field that can hold one, so that every rule about texts is compiled. */
function exampleOf(schema: DescMessage): Message {
  const message = reflect(schema);
  for (const field of schema.fields) {
    if (field.fieldKind === "scalar" && field.scalar === ScalarType.STRING) message.set(field, "x");
  }
  return message.message;
}

function toInvalidArgument(violations: readonly Violation[]): InvalidArgumentError {
  const [first] = violations;
  // If the only violation is a missing field, use the contract's own words.
  const message = violations.length === 1 && first?.ruleId.endsWith(".required") ? first.message : "validation failed";
  return new InvalidArgumentError(message, violations.map(toFieldViolation));
}

function toFieldViolation({ field, ruleId, message }: Violation): FieldViolation {
  // A rule over the whole message has no field; its id starts with the name of the field concerned.
  const path = field.length > 0 ? pathToString(field) : ruleId.split(".", 1).join();
  return { field: path, description: message };
}
