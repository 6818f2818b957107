import { createRollcall } from "@rollcall/client/node";

await using client = createRollcall({ baseUrl: "http://localhost:8080", token: process.env.TOKEN });

const { id } = await client.users.create({ email: "alan@example.com", name: "Alan Turing" });
console.log("created", id);

// All pages, one after another.
for await (const user of client.users.listAll({ filter: "alan" })) console.log(user.email, user.name);

// A refusal that can be acted on has a class: here EmailTakenError.
await client.users.create({ email: "alan@example.com", name: "Another Alan" }).catch(({ name }) => console.log(name));

for await (const { data, sequence } of client.streams.query("hello")) {
  console.log(data);
  if (sequence === 1) break; // leaving the loop ends the call
}

const chat = client.streams.chat();
await chat.send("hello");
chat.end();
for await (const reply of chat) console.log(reply);

// The program can then be run again.
await client.users.delete(id);
