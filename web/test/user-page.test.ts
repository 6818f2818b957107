import { createClient } from "@connectrpc/connect";
import { UserService } from "@rollcall/gen/user/v1/user";
import { connectChromium } from "@rollcall/testing/chromium";
import { expect, test } from "vitest";
import { openApp } from "./support/open-app.ts";
import { button } from "./support/stream-pages.ts";
import { fillForm } from "./support/users-page.ts";

const browser = await connectChromium();

test("a user has a page, with a history that grows as others change it, and outlives it", async () => {
  await using app = await openApp(browser);
  const { page, server } = app;
  await app.createUsers(1);
  const users = createClient(UserService, app.transport);
  const [{ id = "" } = {}] = (await users.listUsers({})).users;
  await page.getByRole("link", { name: "Person 01" }).click();
  const heading = page.getByRole("heading", { level: 1 });
  const history = page.getByRole("region", { name: "History" }).getByRole("listitem");
  const expectHistory = (sentences: string[]) =>
    expect.poll(() => history.locator("p").allInnerTexts()).toEqual(sentences);
  const created = "tester created Person 01, person01@example.com.";
  await expectHistory([created]);
  expect(page.url()).toBe(`${server.url}/users/${id}`);
  await expect.poll(() => page.title()).toBe("Person 01 · Rollcall");
  await expect.poll(() => page.locator(".user-facts").textContent()).toContain(id);

  await page.getByText("Live", { exact: true }).waitFor();
  await users.updateUser({ id, name: "Ada" }, { headers: await server.auth({ subject: "grace" }) });
  const renamed = "grace changed the name from Person 01 to Ada.";
  await expectHistory([renamed, created]);
  await expect.poll(() => heading.textContent()).toBe("Ada");
  await button(page, "Edit…").click();
  await fillForm(page, "Ada", "ada@example.com");
  await page.getByText("Ada was changed.").waitFor();
  const moved = "tester changed the email from person01@example.com to ada@example.com.";
  await expectHistory([moved, renamed, created]);
  // The page follows the user's changes under the new e-mail, too.
  await page.getByText("Live", { exact: true }).waitFor();
  await users.updateUser({ id, name: "Countess" });
  await expect.poll(() => heading.textContent()).toBe("Countess");
  for (const width of [320, 2200]) {
    await page.setViewportSize({ width, height: 800 });
    expect(await page.evaluate("document.documentElement.scrollWidth - innerWidth"), `${width}`).toBeLessThanOrEqual(0);
  }

  await button(page, "Delete…").click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
  await page.getByText("Countess was deleted.").waitFor();
  await expect.poll(() => heading.textContent()).toBe("No such user");
  await expect.poll(() => page.evaluate("document.activeElement.tagName")).toBe("H1");
  await page.reload();
  await page.getByText("tester deleted Countess, ada@example.com.").waitFor();
  await button(page, "Edit…").waitFor({ state: "detached" });
  await page.getByRole("link", { name: "← Users" }).click();
  await page.getByText("Nobody is here yet.").waitFor();
  app.expectProblems(/status of 404/);
});
