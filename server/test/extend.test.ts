import { setTimeout as delay } from "node:timers/promises";
import { Code, ConnectError, type ConnectRouter, createClient, type ServiceImpl } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { StreamService } from "@rollcall/gen/stream/v1/stream";
import { UserService } from "@rollcall/gen/user/v1/user";
import { expect, test } from "vitest";
import { createApp, principalKey } from "../src/index.ts";
import { probeService } from "./probe-service.ts";
import { startServer, type TestServer, until } from "./harness.ts";
