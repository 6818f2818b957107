import { createRollcall } from "@rollcall/client";

const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? ""; // of the page's address
const client = createRollcall({ baseUrl: location.origin, token });

try {
  for await (const { name } of client.users.listAll()) document.body.append(`${name}, `);
  const chat = client.streams.chat();
  await chat.send("hello");
  chat.end();
  for await (const reply of chat) document.body.append(reply);
} catch (error) {
  document.body.append(String(error));
}
