import { buffer } from "node:stream/consumers";
import { createClient } from "@connectrpc/connect";
import { UserService } from "@rollcall/gen/user/v1/user";
import { connectChromium } from "@rollcall/testing/chromium";
import { rollcallInside } from "@rollcall/testing/run-rollcall";
import { expect, test } from "vitest";
import { openApp } from "./support/open-app.ts";
import { button } from "./support/stream-pages.ts";
import { choose, names } from "./support/users-page.ts";

const browser = await connectChromium();

const FILE = `email,name
ada@example.com,Ada
grace@example.com,"Hopper, Grace"
nonsense,Nobody
`;
const OTHER_FILE = '{"email":"ADA@example.com","name":"Ada"}\n{"email":"zoe@example.com","name":"Zoe"}\n';

test("files of users are imported with their faults shown, and exported as they were found", async () => {
  await using app = await openApp(browser);
  const { page, server } = app;
  const file = (name: string, text: string) => ({ name, mimeType: "", buffer: Buffer.from(text) });
  const input = page.locator("input[type=file]");
  const status = page.getByRole("dialog").getByRole("status");
  await button(page, "Import a file").click();
  await page.getByRole("dialog", { name: "Import users" }).waitFor();
  await input.setInputFiles(file("users.txt", FILE));
  await page.getByText("The file's name has to end with .csv, .jsonl or .ndjson.").waitFor();
  await input.setInputFiles(file("users.csv", "email;name\n"));
  await page.getByText("The CSV file has semicolons between its fields: save it with commas").waitFor();
  await input.setInputFiles(file("users.csv", FILE));
  const expectDone = (counts: string) => expect.poll(() => status.textContent()).toBe(`Done: ${counts}.`);
  await expectDone("2 created, 0 skipped, 1 failed");
  const faults = page.getByRole("list", { name: "Lines that failed" }).getByRole("listitem");
  expect(await faults.allTextContents()).toEqual(["Line 4: Validation failed: email must be a valid email address."]);
  await input.setInputFiles(file("others.jsonl", OTHER_FILE));
  await expectDone("1 created, 1 skipped, 0 failed");
  // Importing a file again creates nobody twice. Without skipping, each user who exists already is a fault.
  await page.getByLabel("Skip users").uncheck();
  await input.setInputFiles(file("others.jsonl", OTHER_FILE));
  await expectDone("1 created, 0 skipped, 1 failed");
  expect(await faults.allTextContents()).toEqual(["Line 1: Email already in use."]);
  await button(page, "Close").click();
  await expect.poll(async () => (await names(page)).sort()).toEqual(["Ada", "Hopper, Grace", "Zoe"]);
  // The command line can continue such an import, too: the same line has the same request id.
  const args = ["--address", server.url, "--token", await server.token(), "users", "import", "-", "--format", "csv"];
  const { stdout } = await rollcallInside(args, { input: FILE });
  expect(stdout).toBe("2 users created, 0 skipped, 1 failed.\n");

  const download = page.waitForEvent("download");
  await page.getByLabel(/^Search/).fill("grace");
  await expect.poll(() => names(page)).toEqual(["Hopper, Grace"]);
  await choose(page, "Export…");
  await page.getByText("Users that match “grace”, oldest first.").waitFor();
  await button(page, "Export").click();
  await page.getByText("1 user was exported to users.csv.").waitFor();
  const exported = (await buffer(await (await download).createReadStream())).toString();
  const users = createClient(UserService, app.transport);
  const [grace] = (await users.listUsers({ filter: "grace" })).users;
  expect(exported).toMatch(/^id,email,name,created_at,updated_at,etag\n[^\n]*\n$/);
  expect(exported).toContain(`${grace?.id},grace@example.com,"Hopper, Grace",20`);
  app.expectProblems(/status of (?:400|409)/);
});

test("the bar of an import follows the users that are created", async () => {
  await using app = await openApp(browser);
  const { page } = app;
  const lines = Array.from({ length: 200 }, (_, index) => `person${index}@example.com,Person ${index}\n`);
  await button(page, "Import a file").click();
  await page.getByRole("dialog", { name: "Import users" }).waitFor();
  // Notes the bar and the count beside it, whenever one of them changes.
  await page.evaluate(`{
    const dialog = document.querySelector("[role=dialog]");
    globalThis.seen = [];
    new MutationObserver(() => {
      const created = Number.parseInt(dialog.querySelector("[role=status]").textContent);
      if (created > 0) seen.push([created, dialog.querySelector("progress").value]);
    }).observe(dialog, { attributes: true, characterData: true, childList: true, subtree: true });
  }`);
  const file = { name: "users.csv", mimeType: "", buffer: Buffer.from(`email,name\n${lines.join("")}`) };
  await page.locator("input[type=file]").setInputFiles(file);
  await page.getByText("Done: 200 created, 0 skipped, 0 failed.").waitFor();
  const seen = await page.evaluate<[created: number, bar: number][]>("seen");
  const early = seen.filter(([created]) => created < 100);
  expect(early.length).toBeGreaterThan(0);
  // The bar is ahead by the lines that are sent at the time, and by a piece of the file.
  for (const [created, bar] of early) expect(Math.abs(bar - created / lines.length)).toBeLessThan(0.3);
});
