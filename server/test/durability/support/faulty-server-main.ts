/** Server process whose repository lacks the guard that `FAULT` names, for controls. */
import { randomBytes } from "node:crypto";
import { createApp, createTokenVerifier, mintToken, SCOPES } from "@rollcall/server";
import { openPostgresUserRepository } from "../../../src/repository/postgres/user-repository.ts";
import { openSqliteUserRepository } from "../../../src/repository/sqlite/user-repository.ts";
import { addressOf } from "../../support/address-of.ts";
import { type Fault, withFault } from "./faulty-repository.ts";

const { DATABASE_URL = "", FAULT = "", PORT = "0" } = process.env;
const secret = randomBytes(32);
const repository = DATABASE_URL.startsWith("sqlite:")
  ? openSqliteUserRepository({ path: DATABASE_URL.slice("sqlite:".length) })
  : await openPostgresUserRepository({ address: addressOf(DATABASE_URL) });
const app = await createApp({
  auth: createTokenVerifier({ keys: { secret } }),
  repository: withFault(repository, FAULT as Fault),
  port: Number(PORT),
});
const { url } = await app.listen();
const token = await mintToken({ secret, subject: "tester", scopes: SCOPES, ttlSeconds: 3_600 });
process.stdout.write(`${url}/#token=${token}\n`);
