import { connectChromium } from "@rollcall/testing/chromium";
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { expectCopied } from "./support/clipboard.ts";
import { openApp } from "./support/open-app.ts";
import { withOrders } from "./support/order-service.ts";
import { button } from "./support/stream-pages.ts";

const browser = await connectChromium();

const exchange = (page: Page) => page.getByRole("complementary", { name: "The exchange" });
/** Messages of the exchange, each as its direction and its JSON. */
async function messages(page: Page): Promise<(readonly [direction: string, json: unknown])[]> {
  const all = await page.evaluate<[string, string][]>(
    "[...document.querySelectorAll('.messages li')].map((item) => [item.dataset.direction, item.querySelector('pre').textContent])",
  );
  return all.map(([direction, json]) => [direction, JSON.parse(json) as unknown]);
}

/** Opens a method, as a link to it does, and waits until it is shown. */
async function openMethod(page: Page, method: string, body?: object, via?: string): Promise<void> {
  const fragment = new URLSearchParams({ method, ...(body && { body: JSON.stringify(body) }), ...(via && { via }) });
  await page.evaluate(`location.hash = ${JSON.stringify(String(fragment))}`);
  await page.getByRole("heading", { name: method.replace(/.*\//, ""), exact: true }).waitFor();
  await exchange(page).getByText("Nothing has been sent yet.").waitFor();
}

/** Writes the request as JSON. */
async function writeJson(page: Page, json: object): Promise<void> {
  await page.getByRole("radio", { name: "JSON" }).check();
  await page.getByLabel("Request as JSON").fill(JSON.stringify(json));
}

const facts = async (page: Page, title: string) => {
  const part = exchange(page).locator("details", { hasText: title });
  return part.locator("dl > div").allTextContents();
};

test("every method of every service is listed, and all four kinds are called over all that a browser has", async () => {
  await using app = await openApp(browser, {
    path: "/explorer",
    app: { ...withOrders, streams: { resultIntervalMs: 5 } },
  });
  const { page } = app;
  const links = page.getByRole("navigation", { name: "Methods" }).getByRole("link");
  await links.first().waitFor();
  const names = await page.evaluate<string[]>("[...document.querySelectorAll('.methods a')].map(({ hash }) => hash)");
  const methods = names.map((hash) => new URLSearchParams(hash.slice(1)).get("method"));
  expect(methods).toEqual(
    expect.arrayContaining([
      "shop.OrderService/Place",
      "stream.v1.StreamService/BidirectionalStream",
      "user.v1.UserService/DeleteUser",
      "grpc.health.v1.Health/Watch",
      "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    ]),
  );
  const protocol = page.getByLabel("Protocol and transport");
  const vias = {
    connect: "Connect over fetch",
    "grpc-web": "gRPC-Web over fetch",
    "grpc-websockets": "gRPC-Web over WebSocket",
  };
  for (const [method, body, received] of [
    ["user.v1.UserService/ListUsers", { pageSize: 2 }, 1],
    ["stream.v1.StreamService/ServerStream", { query: "hello" }, 10],
  ] as const) {
    for (const [via, title] of Object.entries(vias)) {
      await openMethod(page, method, body, via);
      expect(await protocol.locator("option").allTextContents()).toEqual(Object.values(vias));
      expect(await protocol.locator("option:checked").textContent()).toBe(title);
      await button(page, "Send").click();
      await page.getByText(`Complete: ${received === 1 ? "1 message" : `${received} messages`} received.`).waitFor();
      const [first, ...answers] = await messages(page);
      expect(first).toEqual(["sent", body]);
      expect(answers.map(([direction]) => direction)).toEqual(Array(received).fill("received"));
      // The token itself is nowhere in the page.
      expect(await facts(page, "Request headers")).toContain("authorizationBearer …");
    }
  }

  await openMethod(page, "stream.v1.StreamService/ClientStream");
  expect(await protocol.locator("option").allTextContents()).toEqual([vias["grpc-websockets"]]);
  for (const count of [1, 2]) {
    await page.getByLabel("chunk").fill("aGk=");
    await button(page, "Send message").click();
    await exchange(page).getByText(`${count} sent, 0 received`).waitFor();
  }
  await button(page, "End requests").click();
  await page.getByText("Complete: 1 message received.").waitFor();
  expect((await messages(page)).at(-1)).toEqual(["received", expect.objectContaining({ totalBytes: "4" })]);

  await openMethod(page, "stream.v1.StreamService/BidirectionalStream");
  for (const [count, message] of ["one", "two"].entries()) {
    await page.getByLabel("message", { exact: true }).fill(message);
    await button(page, "Send message").click();
    await exchange(page)
      .getByText(`${count + 1} sent, ${count + 1} received`)
      .waitFor();
  }
  expect(await messages(page)).toEqual([
    ["sent", { message: "one" }],
    ["received", expect.objectContaining({ reply: "Echo: one" })],
    ["sent", { message: "two" }],
    ["received", expect.objectContaining({ reply: "Echo: two" })],
  ]);
  await button(page, "End requests").click();
  await page.getByText("Complete: 2 messages received.").waitFor();
  await button(page, "Send message").click();
  await exchange(page).getByText("1 sent, 1 received").waitFor();
  await button(page, "Cancel").click();
  await page.getByText("Canceled.", { exact: true }).waitFor();
});

test("a fault is shown once: at its field or, beside JSON, above the button", async () => {
  await using app = await openApp(browser, { path: "/explorer" });
  const { page } = app;
  await openMethod(page, "stream.v1.StreamService/ServerStream");
  const fault = page.getByText("query is required");
  const alert = page.getByRole("alert");
  // Before that, the page shows it as a rule like the others.
  await page.getByText("string · at most 4096 characters · query is required").waitFor();
  await button(page, "Send").click();
  await alert.getByText("Fields with faults: query").waitFor();
  expect(await fault.count()).toBe(1);
  const id = await fault.getAttribute("id");
  expect((await page.getByLabel("query").getAttribute("aria-describedby"))?.split(" ")).toContain(id);
  await page.getByRole("radio", { name: "JSON" }).check();
  await alert.getByText("query: query is required").waitFor();
  expect(await fault.count()).toBe(1);
});

test("rules are shown, checked before sending, and the server's answer is decoded where they are not", async () => {
  await using app = await openApp(browser, { path: "/explorer" });
  const { page } = app;
  await openMethod(page, "user.v1.UserService/CreateUser");
  const email = page.getByLabel("email", { exact: true });
  const note = (name: string) => page.locator(".field-row", { has: page.locator(`code:text-is("${name}")`) });
  expect(await note("email").locator(".hint").textContent()).toBe("string · at most 254 characters · email");
  await page.getByText("Scope users:write").waitFor();
  await email.fill("ada");
  await button(page, "Send").click();
  await note("email").locator(".field-error").waitFor();
  expect(await exchange(page).getByText("0 sent, 0 received").count()).toBe(1);
  // The focus is where the first fault is.
  await expect.poll(() => page.evaluate("document.activeElement.labels?.[0].textContent")).toBe("email");

  await page.getByLabel("Send requests that break the rules, too").check();
  await button(page, "Send").click();
  const error = exchange(page).getByRole("region", { name: "Error" });
  await error.getByText("invalid_argument").waitFor();
  expect(await error.getByRole("heading").textContent()).toBe("google.rpc.BadRequest");
  expect(JSON.parse((await error.locator("pre").textContent()) ?? "")).toEqual({
    fieldViolations: expect.arrayContaining([expect.objectContaining({ field: "email" })]),
  });
  expect(await note("name").locator(".field-error").textContent()).not.toBe("");
  app.expectProblems(/status of 400/);

  // Text that is not the message's JSON is not sent.
  await writeJson(page, { email: 1 });
  await button(page, "Send").click();
  await page.getByText(/user.v1.CreateUserRequest.email from JSON/).waitFor();
  await page.getByLabel("Request as JSON").fill("{");
  await button(page, "Send").click();
  await page.getByRole("alert").getByText("This is not JSON").waitFor();
});

test("a call has its deadline, headers and token as chosen, and a link opens it again without them", async () => {
  await using app = await openApp(browser, { path: "/explorer", app: { streams: { resultIntervalMs: 600_000 } } });
  const { page } = app;
  await openMethod(page, "stream.v1.StreamService/ServerStream", { query: "again" });
  await page.getByLabel("Deadline, in ms").fill("200");
  await page.locator("summary", { hasText: /^Headers/ }).click();
  await button(page, "Add a header").click();
  await page.getByLabel("Name of header 1").fill("x-secret");
  await page.getByLabel("Value of header 1").fill("a value");
  await button(page, "Send").click();
  await exchange(page).getByText("deadline_exceeded").first().waitFor();
  expect(await facts(page, "Request headers")).toContain("x-secreta value");
  expect(await page.getByRole("region", { name: "Sample for curl", exact: true }).textContent()).toContain(
    "-H 'x-secret: a value'",
  );
  await page.getByRole("radio", { name: "Go" }).check();
  const goSample = page.getByRole("region", { name: "Sample for Go" });
  await goSample.getByText('"x-secret", "a value"').waitFor();
  // Its import is the contract's own, which the server's descriptor names.
  expect(await goSample.textContent()).toContain('streamv1 "github.com/myapp/gen/stream/v1"');

  const address = page.url();
  expect(address).not.toMatch(/secret|a%20value|eyJ/);
  await page.reload();
  await page.getByRole("heading", { name: "ServerStream", exact: true }).waitFor();
  expect(await page.getByLabel("query").inputValue()).toBe("again");
  expect(await page.getByLabel("Deadline, in ms").inputValue()).toBe("200");

  await page.getByLabel("Deadline, in ms").fill("soon");
  await button(page, "Send").click();
  await page.getByText("The deadline is a number of milliseconds").waitFor();
  await page.getByLabel("Deadline, in ms").fill("");
  await page.getByLabel("Send my token").uncheck();
  await button(page, "Send").click();
  await exchange(page).getByText("missing authorization token").first().waitFor();
  // The session goes on: its token was not refused.
  await page.getByRole("heading", { name: "ServerStream", exact: true }).waitFor();

  await page.evaluate(`location.hash = "method=no.Such/Method"`);
  await page.getByText("This server has no method no.Such/Method.").waitFor();
});

test("a service that a host has mounted is called, with fields of every sort", async () => {
  await using app = await openApp(browser, { path: "/explorer", app: withOrders });
  const { page } = app;
  await openMethod(page, "shop.OrderService/Place");
  // This scope comes from the host, not from the contract.
  await page.getByText("Scope users:write").waitFor();
  await page.getByLabel("note", { exact: true }).fill("hello");
  await page.getByLabel("speed", { exact: true }).selectOption("SPEED_FAST");
  await button(page, "Add to items").click();
  await page.getByLabel("sku", { exact: true }).fill("a-1");
  await page.getByLabel("count", { exact: true }).fill("2");
  await button(page, "Add to items").click();
  await page.getByRole("button", { name: "Remove items 2" }).click();
  await page.getByLabel("Key", { exact: true }).fill("colour");
  await button(page, "Add to labels").click();
  await page.getByLabel("labels colour").fill("red");
  await page.getByLabel(/^payment/).selectOption("voucher");
  await page.getByLabel("voucher", { exact: true }).fill("9007199254740993");
  await page.getByLabel("placed_at", { exact: true }).fill("2030-01-31T12:00:00Z");
  await page.getByLabel("priority", { exact: true }).fill("0");
  await page.getByLabel("gift", { exact: true }).selectOption("true");
  await page.getByLabel("seal", { exact: true }).fill("aGk=");
  await page.getByLabel("weight", { exact: true }).fill("1.5");
  const order = {
    note: "hello",
    speed: "SPEED_FAST",
    items: [{ sku: "a-1", count: 2 }],
    labels: { colour: "red" },
    voucher: "9007199254740993",
    placedAt: "2030-01-31T12:00:00Z",
    priority: 0,
    gift: true,
    seal: "aGk=",
    weight: 1.5,
  };
  await button(page, "Send").click();
  await page.getByText("Complete: 1 message received.").waitFor();
  expect(await messages(page)).toEqual([
    ["sent", order],
    ["received", order],
  ]);
  await page.getByRole("radio", { name: "JSON" }).check();
  expect(JSON.parse(await page.getByLabel("Request as JSON").inputValue())).toEqual(order);

  await writeJson(page, { items: [{ sku: "none" }] });
  await button(page, "Send").click();
  const error = exchange(page).getByRole("region", { name: "Error" });
  await error.getByText("out of stock").waitFor();
  expect(await error.getByRole("heading").textContent()).toBe("shop.OutOfStock");
  expect(await error.locator("pre").textContent()).toBe('{\n  "sku": "none"\n}');
  app.expectProblems(/status of 400/);
});

test("a server without reflection is called by the contracts of the app", async () => {
  await using app = await openApp(browser, { path: "/explorer", app: { reflection: "off", docs: false } });
  const { page } = app;
  await page.getByText("The server does not show its contracts").waitFor();
  await openMethod(page, "user.v1.UserService/ListUsers");
  expect(await page.locator(".field-row .hint").first().textContent()).toBe("int32 · 0 to 1000");
  await button(page, "Send").click();
  await page.getByText("Complete: 1 message received.").waitFor();
  expect(await page.getByRole("link", { name: /^(?:Docs|Reference)/ }).count()).toBe(0);
  await page.getByRole("radio", { name: "Go" }).check();
  await page
    .getByRole("region", { name: "Sample for Go" })
    .getByText('userv1 "github.com/myapp/gen/user/v1"')
    .waitFor();
  app.expectProblems(/status of 404/);
});

test("the keyboard alone chooses a method, fills its form, sends it and copies a sample", async () => {
  await using app = await openApp(browser, {
    path: "/explorer",
    context: { permissions: ["clipboard-read", "clipboard-write"] },
  });
  const { page } = app;
  const { keyboard } = page;
  const focused = () =>
    page.evaluate<string>(
      "document.activeElement.ariaLabel ?? (document.activeElement.labels?.[0] ?? document.activeElement).textContent",
    );
  const tabTo = async (name: RegExp) => {
    for (let presses = 0; presses < 80; presses++) {
      await keyboard.press("Tab");
      if (name.test(await focused())) return;
    }
    expect.fail(`${name} is not reached with Tab`);
  };
  await page.getByRole("heading", { name: "ServerStream", exact: true }).waitFor();
  await tabTo(/^ListUsers /);
  await keyboard.press("Enter");
  await page.getByRole("heading", { name: "ListUsers", exact: true }).waitFor();
  await tabTo(/^page_size$/);
  await keyboard.type("5");
  await keyboard.press("Enter");
  await page.getByText("Complete: 1 message received.").waitFor();
  expect((await messages(page))[0]).toEqual(["sent", { pageSize: 5 }]);
  await tabTo(/^curl$/);
  await keyboard.press("ArrowRight");
  await page.getByRole("region", { name: "Sample for grpcurl" }).waitFor();
  await tabTo(/^Copy the sample for grpcurl$/);
  await expectCopied(page, () => keyboard.press("Enter"), /^grpcurl -plaintext/);
});
