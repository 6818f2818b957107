import type { ServerResponse } from "node:http";
import { createTokenVerifier } from "@rollcall/server";
import { connectChromium } from "@rollcall/testing/chromium";
import { until } from "@rollcall/testing/start-server";
import type { Page } from "playwright-core";
import { expect, onTestFinished, test } from "vitest";
import { type IdentityProvider, startIdentityProvider } from "./support/identity-provider.ts";
import { type OpenApp, type OpenOptions, openApp } from "./support/open-app.ts";

const HOUR_MS = 3_600_000;

const browser = await connectChromium();

interface SignInTest {
  readonly provider: IdentityProvider;
  readonly app: OpenApp;
  readonly page: Page;
  /** Sets the server's clock ahead of the provider's, in milliseconds. */
  setAhead(ms: number): void;
}

/** Opens the app of a server that takes the tokens of a real provider. Both stop at the end of the test. */
async function openWithProvider(options: OpenOptions = {}): Promise<SignInTest> {
  const provider = await startIdentityProvider();
  onTestFinished(() => provider[Symbol.asyncDispose]());
  const { issuer, audience, clientId, host } = provider;
  let aheadMs = 0;
  const now = () => Date.now() + aheadMs;
  const jwksUrl = new URL(`${issuer}/jwks`);
  const app = await openApp(browser, {
    token: false,
    otherHosts: [host],
    onServer: (url) => provider.allow(url),
    ...options,
    app: {
      now,
      auth: createTokenVerifier({ keys: { jwksUrl }, issuer, audience, now }),
      signIn: {
        kind: "provider",
        issuer,
        clientId,
        scope: "openid users:read users:write streams",
        parameters: { resource: audience },
      },
      ...options.app,
    },
  });
  onTestFinished(() => app[Symbol.asyncDispose]());
  const setAhead = (ms: number) => {
    aheadMs = ms;
  };
  return { provider, app, page: app.page, setAhead };
}

const signInButton = (page: Page) => page.getByRole("button", { name: /^Sign in with localhost:\d+$/ });
const shownName = (page: Page) => page.locator(".who-name").textContent();

/** Fills the provider's forms. */
async function logIn(page: Page, login: string): Promise<void> {
  await page.getByLabel("Login").fill(login);
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByText("Let Rollcall in?").waitFor();
  await page.getByRole("button", { name: "Continue" }).click();
}

test("a person signs in at the provider, goes on through renewals, and signs out there too", async () => {
  // The device's clock is wrong, which must not matter.
  const { provider, app, page, setAhead } = await openWithProvider({
    path: "/users?from=a-link",
    clockAheadMs: 2 * HOUR_MS,
  });
  const { server } = app;
  // The first token is renewed in a moment, but not before the tab has a duplicate.
  provider.lifetimes.push(5);
  const { promise: renewalsHeld, resolve: release } = Promise.withResolvers<void>();
  provider.renewalsHeld = renewalsHeld;
  expect(await page.getByLabel("Token").isVisible()).toBe(false);
  await signInButton(page).click();
  await logIn(page, "ada");
  await page.getByRole("button", { name: "New user" }).click();
  const expiresAtMs = Date.now() + 5_000;
  // A duplicate of the tab has a copy of its tokens. It renews none, and its session ends with the token.
  const duplicated = page.context().waitForEvent("page");
  await page.evaluate("void open(location.href)");
  const duplicate = await duplicated;
  const readToken = () => page.evaluate<string>("sessionStorage['rollcall.token']");
  const firstToken = await readToken();
  release();
  expect(await shownName(page)).toBe("ada");
  expect(page.url()).toBe(`${server.url}/users?from=a-link`);
  const addresses = await page.evaluate<string[]>("navigation.entries().map(({ url }) => url)");
  expect(addresses.filter((address) => /[?&](?:code|state)=/.test(address))).toEqual([]);

  // A form stays open while the token is renewed and the first one expires, and the watch goes on with the next.
  await page.getByLabel("Name", { exact: true }).fill("Ada");
  await until(() => provider.grants.length === 2 && Date.now() > expiresAtMs);
  expect(provider.grants).toEqual(["authorization_code", "refresh_token"]);
  // The provider records the renewal before the page has the token.
  await expect.poll(readToken).not.toBe(firstToken);
  const token = await readToken();
  // Nothing that outlives the tab has any of it: no cookie, no local storage, no database, no cache.
  const { refreshToken, idToken } = await page.evaluate<Record<string, string>>(
    "JSON.parse(sessionStorage['rollcall.grant'])",
  );
  const kept = JSON.stringify([
    await page.context().storageState({ indexedDB: true }),
    await page.evaluate("caches.keys()"),
    addresses,
  ]);
  for (const secret of [token, refreshToken, idToken]) expect(kept).not.toContain(secret ?? expect.fail());
  expect(await page.evaluate("[localStorage.length, navigator.serviceWorker.controller]")).toEqual([0, null]);
  const created = await fetch(`${server.url}/user.v1.UserService/CreateUser`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ name: "Grace", email: "grace@example.com" }),
  });
  expect(created.status).toBe(200);
  await page.getByText("grace@example.com", { exact: true }).waitFor();
  await duplicate.getByRole("heading", { name: "Your session has expired" }).waitFor();
  await duplicate.getByText("You were signed in as ada.").waitFor();
  await duplicate.close();
  expect(await page.getByLabel("Name", { exact: true }).inputValue()).toBe("Ada");

  // The provider revokes the consent, and the token expires. The same person then continues where the page was.
  await provider.revoke();
  setAhead(2 * HOUR_MS);
  await page.getByLabel("Email", { exact: true }).fill("ada@example.com");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.getByRole("heading", { name: "Your session has expired" }).waitFor();
  await page.getByText("You were signed in as ada.").waitFor();
  expect(await page.getByRole("dialog").count()).toBe(0);
  setAhead(0);
  const opened = page.context().waitForEvent("page");
  await signInButton(page).click();
  const popup = await opened;
  await page.getByRole("dialog", { name: "New user" }).waitFor();
  if (!popup.isClosed()) await popup.waitForEvent("close");
  expect(await page.getByLabel("Name", { exact: true }).inputValue()).toBe("Ada");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.getByText("Ada was created.").waitFor();
  app.expectProblems(/status of 40[01]/);

  // The sign-out ends the provider's session too, so the next person is asked who they are.
  await page.reload();
  await page.getByText("ada@example.com", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("button", { name: "Sign out there" }).click();
  await page.getByRole("heading", { name: "You are signed out" }).waitFor();
  expect(await page.evaluate("sessionStorage.length")).toBe(0);
  await signInButton(page).click();
  await page.getByRole("button", { name: "Refuse" }).click();
  await page.getByText(`You were not let in: ${provider.host} refused it, or you did.`).waitFor();
  await signInButton(page).click();
  await logIn(page, "eve");
  await page.getByText("ada@example.com", { exact: true }).waitFor();
  expect(await shownName(page)).toBe("eve");
  expect(page.url()).toBe(`${server.url}/users`);
});

/** Changes the stored state of a sign-in, or the address that the tab returns to, at the moment of the return. */
const TAMPERING = `if (location.pathname === "/callback" && sessionStorage.tampering) {
  const { pending, query } = JSON.parse(sessionStorage.tampering);
  delete sessionStorage.tampering;
  sessionStorage["rollcall.sign-in"] = JSON.stringify({ ...JSON.parse(sessionStorage["rollcall.sign-in"]), ...pending });
  const address = new URL(location);
  for (const [name, value] of Object.entries(query ?? {})) address.searchParams.set(name, value);
  history.replaceState(null, "", address);
}`;

test("an answer that does not belong to the sign-in is refused, in words, and another attempt succeeds", async () => {
  const { provider, app, page } = await openWithProvider({ path: "/query", initScript: TAMPERING });
  const { host } = provider;
  await signInButton(page).click();
  await logIn(page, "ada");
  await page.getByRole("heading", { name: "Query" }).waitFor();
  // The provider keeps its session, so it redirects each further attempt straight back.
  const leave = () => page.evaluate("sessionStorage.clear()").then(() => page.reload());
  await leave();
  const foreign = `The answer does not belong to this sign-in at ${host}. Sign in again.`;
  const used = "This sign-in was used before, or was begun in another tab. Sign in again.";
  const tooLate = "This sign-in was used before, or has taken too long. Sign in again.";
  for (const [tampering, problem] of [
    [{ query: { state: "another" } }, used],
    [{ pending: { nonce: "another" } }, foreign],
    [{ query: { iss: "https://evil.example" } }, foreign],
    [{ pending: { codeVerifier: "another".repeat(8) } }, tooLate],
    [{ query: { code: "another" } }, tooLate],
    [{ query: { error: "server_error" } }, `${host} has a fault at the moment. Try again later.`],
    [{ query: { error: "login_required" } }, `${host} wants you to sign in there again.`],
    [{ query: { error: "<b>" } }, `${host} refused the sign-in (for a reason of its own).`],
  ] as const) {
    await page.evaluate(`sessionStorage.tampering = ${JSON.stringify(JSON.stringify(tampering))}`);
    await signInButton(page).click();
    await page.getByText(problem, { exact: true }).waitFor();
    expect(page.url()).toBe(`${app.server.url}/query`);
    expect(await page.evaluate("'rollcall.token' in sessionStorage")).toBe(false);
  }
  app.expectProblems(/status of 400/);

  // The control: without tampering, the same steps sign in. An answer that comes again changes nothing.
  const answered = page.waitForRequest((request) => request.url().includes("/callback?"));
  await signInButton(page).click();
  const callback = (await answered).url();
  await page.getByRole("heading", { name: "Query" }).waitFor();
  await page.goto(callback);
  await page.getByRole("heading", { name: "Users" }).waitFor();
  expect(page.url()).toBe(`${app.server.url}/users`);
  await page.evaluate("sessionStorage.clear()");
  await page.goto(callback);
  await page.getByText(used, { exact: true }).waitFor();
});

test("a provider that is away or describes another is named, and the next attempt finds it back", async () => {
  const { provider, app, page } = await openWithProvider();
  const { host } = provider;
  const answers: Record<string, (response: ServerResponse) => void> = {
    [`${host} can't be reached from this page: it is away, or does not let this page call it. Try again later.`]: (
      response,
    ) => response.destroy(),
    [`${host} gave an answer that this page can't use. Tell whoever runs it.`]: (response) =>
      response.writeHead(503, { "access-control-allow-origin": "*" }).end("busy"),
    [`${host} calls itself by another name than this server does (AUTH_ISSUER). Tell whoever runs it.`]: (response) =>
      response
        .writeHead(200, { "access-control-allow-origin": "*", "content-type": "application/json" })
        .end(JSON.stringify({ issuer: "https://other.example" })),
  };
  for (const [problem, answer] of Object.entries(answers)) {
    provider.intercept = ({ url }, response) => {
      if (!url?.includes("/.well-known/")) return false;
      answer(response);
      return true;
    };
    await signInButton(page).click();
    await page.getByText(problem, { exact: true }).waitFor();
  }
  app.expectProblems(/ERR_|status of 503/);
  provider.intercept = undefined;
  await signInButton(page).click();
  await logIn(page, "ada");
  await page.getByText("Nobody is here yet.").waitFor();

  // The provider is away at the sign-out: the app's own session ends, and the page says that the provider's may not.
  provider.intercept = (_request, response) => {
    response.destroy();
    return true;
  };
  await page.reload();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByText("Your identity provider could not be told").waitFor();
  expect(await page.evaluate("sessionStorage.length")).toBe(0);
  app.expectProblems(/ERR_/);
});
