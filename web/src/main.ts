import { timestampDate } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { createRollcallClient } from "@rollcall/client";
import type { User } from "@rollcall/gen/user/v1/user";
import { signIn, signOut, storedToken, takeTokenFromAddress } from "./session.ts";

function element<T extends HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`#${id} is missing`);
  return found as T;
}

const status = element("status");
const signInForm = element<HTMLFormElement>("sign-in");
const tokenInput = element<HTMLInputElement>("token");
const directory = element("directory");
const rows = element("users");
const more = element<HTMLButtonElement>("more");

const { users } = createRollcallClient({ address: location.origin, getToken: storedToken });
let nextPageToken = "";

function rowOf({ name, email, createdAt }: User): HTMLTableRowElement {
  const row = document.createElement("tr");
  row.insertCell().textContent = name;
  row.insertCell().textContent = email;
  row.insertCell().textContent = createdAt ? timestampDate(createdAt).toLocaleString() : "";
  return row;
}

function showSignIn(message: string): void {
  signInForm.hidden = false;
  directory.hidden = true;
  status.textContent = message;
}

async function showPage(pageToken: string): Promise<void> {
  signInForm.hidden = true;
  directory.hidden = false;
  more.disabled = true;
  status.textContent = "Loading…";
  try {
    const page = await users.listUsers({ pageToken });
    rows.append(...page.users.map(rowOf));
    nextPageToken = page.nextPageToken;
    more.hidden = nextPageToken === "";
    status.textContent = rows.childElementCount === 0 ? "Nobody is here yet." : `${rows.childElementCount} users`;
  } catch (error) {
    const { code, rawMessage } = ConnectError.from(error);
    if (code === Code.Unauthenticated) {
      signOut();
      showSignIn("The token was not accepted. Please sign in again.");
    } else {
      more.hidden = false;
      status.textContent = `The users can't be shown: ${rawMessage}`;
    }
  } finally {
    more.disabled = false;
  }
}

signInForm.addEventListener("submit", (event) => {
  event.preventDefault();
  signIn(tokenInput.value.trim());
  tokenInput.value = "";
  rows.replaceChildren();
  void showPage("");
});
more.addEventListener("click", () => void showPage(nextPageToken));

takeTokenFromAddress();
if (storedToken()) void showPage("");
else showSignIn("Open the link that the server printed at its start, or paste a token.");
