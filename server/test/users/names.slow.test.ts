import { create, getOption } from "@bufbuild/protobuf";
import { createValidator } from "@bufbuild/protovalidate";
import { field as fieldRules } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { CreateUserRequestSchema, UpdateUserRequestSchema, UserService } from "@rollcall/gen/user/v1/user";
import { startServer } from "@rollcall/testing/start-server";
import { expect, test } from "vitest";

const validator = createValidator();
/** The request that is validated with each name. Creating a new one each time takes ten times as long. */
const request = create(CreateUserRequestSchema, { email: "ada@example.com" });

function isName(name: string): boolean {
  request.name = name;
  return validator.validate(CreateUserRequestSchema, request).kind === "valid";
}

/** Characters that are letters or symbols by category but drawn as blanks, which no property of Unicode shows. */
const BLANK_BY_DESIGN = new Set(["\u2800", "\u{13441}", "\u{13442}", "\u{1d159}"]);
const INKLESS = /[\p{Z}\p{C}\p{M}\p{Default_Ignorable_Code_Point}]/u;

test("over all code points, those that show make a name and no others do", () => {
  const wrong: string[] = [];
  const inkless: string[] = [];
  for (let code = 0; code <= 0x10ffff; code++) {
    if (code >= 0xd800 && code <= 0xdfff) continue;
    const char = String.fromCodePoint(code);
    if (INKLESS.test(char) || BLANK_BY_DESIGN.has(char)) inkless.push(char);
    else if (!isName(char)) wrong.push(char);
  }
  expect(wrong).toEqual([]);
  expect(inkless.length).toBeGreaterThan(900_000);
  // The names have their full length, so that a single character that counted as ink would make one valid.
  const names = Array.from({ length: Math.ceil(inkless.length / 200) }, (_, index) =>
    inkless
      .slice(index * 200, (index + 1) * 200)
      // Controls and line ends are refused anywhere in a name. Here they would hide the other characters.
      .filter((char) => !/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u.test(char))
      .join(""),
  );
  expect(names.filter((name) => name !== "" && isName(name))).toEqual([]);
});

test("the rules of a name are the same when it is given and when it is changed", () => {
  const rulesOf = (schema: typeof CreateUserRequestSchema | typeof UpdateUserRequestSchema) =>
    getOption(schema.field.name, fieldRules)
      .cel.filter(({ id }) => id === "name.text")
      .map(({ expression, message }) => ({ expression, message }));
  expect(rulesOf(CreateUserRequestSchema)).toHaveLength(1);
  expect(rulesOf(UpdateUserRequestSchema)).toEqual(rulesOf(CreateUserRequestSchema));
});

const NAMES = ["न्", "👩‍👩‍👧", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "❤️", "E\u0301", "محمد", "李", "김", "ᄀ", "O'Neil", "-", "山\u{e0100}", "\u115fᅡ"];
const BLANKS = [
  "\u3164",
  "\u2800",
  "\u0301",
  "\ufe0f",
  "\u200d\u200d",
  "\u034f",
  "\u115f\u1160",
  "\uffa0",
  "\u{e0041}",
  "\u00ad",
];

test.each<[string, (baseUrl: string) => Transport]>([
  ["gRPC", (baseUrl) => createGrpcTransport({ baseUrl })],
  ["gRPC-Web", (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" })],
  ["Connect", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false })],
])("over %s a name that shows is kept as it is, and one that shows nothing is refused", async (_protocol, connect) => {
  await using server = await startServer();
  const users = createClient(UserService, connect(server.url));
  const headers = await server.auth();
  for (const [index, name] of NAMES.entries()) {
    const { user } = await users.createUser({ email: `${index}@example.com`, name }, { headers });
    expect(user).toMatchObject({ name });
    await users.updateUser({ id: user?.id ?? "", name }, { headers });
  }
  const { user } = await users.createUser({ email: "blank@example.com", name: "Blank" }, { headers });
  for (const name of [...BLANKS, BLANKS.join(""), " \u3164 "]) {
    const refused = { code: Code.InvalidArgument, rawMessage: "validation failed" };
    const creation = users.createUser({ email: "b@example.com", name }, { headers }).catch(ConnectError.from);
    expect(await creation, JSON.stringify(name)).toMatchObject(refused);
    const change = users.updateUser({ id: user?.id ?? "", name }, { headers }).catch(ConnectError.from);
    expect(await change, JSON.stringify(name)).toMatchObject(refused);
  }
});
