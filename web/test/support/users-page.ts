import type { UserRepository } from "@rollcall/server";
import { openSqliteUserRepository } from "@rollcall/server";
import type { Page } from "playwright-core";

export const rows = (page: Page) => page.locator("tbody tr:not(.placeholder)");
/** Opens the menu of a user's row, and takes one of its actions. */
export async function act(page: Page, action: "Edit…" | "Copy id" | "Delete…", name: string): Promise<void> {
  await page.getByRole("button", { name: `Actions for ${name}`, exact: true }).click();
  await page.getByRole("menuitem", { name: action, exact: true }).click();
}

/** Takes an action of the directory's menu. */
export async function choose(page: Page, action: string): Promise<void> {
  await page.getByRole("button", { name: "More", exact: true }).click();
  await page.getByRole("menuitem", { name: action, exact: true }).click();
}

/** Finds a button of the pager above the table; there is another one below. */
export const pager = (page: Page, name: "Previous" | "Next" | "First") =>
  page.getByRole("navigation", { name: "Pages of users", exact: true }).getByRole("button", { name, exact: true });

export const names = (page: Page) => page.locator("tbody th").allInnerTexts();

/** Opens a real repository in which a test can replace some methods. */
export function repositoryWith(change: (real: UserRepository) => Partial<UserRepository>): UserRepository {
  const real = openSqliteUserRepository({ path: ":memory:" });
  const changed = change(real);
  return new Proxy(real, {
    get(target, name) {
      const source = name in changed ? changed : target;
      const value: unknown = Reflect.get(source, name);
      return typeof value === "function" ? value.bind(source) : value;
    },
  });
}

export async function fillForm(page: Page, name: string, email: string): Promise<void> {
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByLabel("Email", { exact: true }).fill(email);
  await page.getByRole("button", { name: "Save", exact: true }).click();
}

/** Answers the page's watch for changes, which otherwise never ends, like a server that does not support it. */
export async function refuseToFollow(page: Page): Promise<void> {
  const error = Buffer.from('{"error":{"code":"unimplemented"}}');
  const body = Buffer.concat([Buffer.from([2, 0, 0, 0, error.byteLength]), error]);
  await page.route("**/user.v1.UserService/WatchUsers", (route) =>
    route.fulfill({ contentType: "application/connect+proto", body }),
  );
}
