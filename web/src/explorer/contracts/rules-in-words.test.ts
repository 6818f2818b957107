import { createRegistry } from "@bufbuild/protobuf";
import { file_buf_validate_validate } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import {
  BatchGetUsersRequestSchema,
  CreateUserRequestSchema,
  ListUsersRequestSchema,
} from "@rollcall/gen/user/v1/user";
import { expect, test } from "vitest";
import { rulesOfField } from "./rules-in-words.ts";

const registry = createRegistry(file_buf_validate_validate);
const { pageSize, filter, orderBy, includeTotalSize } = ListUsersRequestSchema.field;

test.each([
  [CreateUserRequestSchema.field.email, ["at most 254 characters", "email"]],
  [BatchGetUsersRequestSchema.field.ids, ["1 to 1000 items", "each: 1 to 128 characters"]],
  [pageSize, ["0 to 1000"]],
  [filter, ["at most 254 characters", "must not contain control characters"]],
  [orderBy, ["at most 64 characters"]],
  [includeTotalSize, []],
])("the rules of $name", (field, words) => {
  expect(rulesOfField(field, registry)).toEqual(words);
});

test("without the type of the rules there are none", () => {
  expect(rulesOfField(pageSize, createRegistry())).toEqual([]);
});
